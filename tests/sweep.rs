//! What nothing refers to is swept once a day, and nobody waits for it.

use crate::store::{Root, cx, make_image};
use crate::support::Shanty;
use crate::support::wait::wait_until;
use shanty::store::Store;
use std::fs;
use std::time::Duration;

fn orphan(store: &Store) -> std::path::PathBuf {
    let path = store.blob_path(&format!("sha256:{}", "f".repeat(64)).parse().unwrap());
    fs::write(&path, "left by a pull that failed").unwrap();
    path
}

fn make_due(store: &Store) {
    store.write(|tx| Ok(tx.execute("UPDATE meta SET value = unixepoch() - 90000 WHERE key = 'swept'", [])?)).unwrap();
}

#[test]
fn a_sweep_is_due_a_day_after_the_last_one() {
    let (_root, store) = Root::new();
    assert!(!store.sweep_is_due().unwrap(), "nothing can be left in a new root");
    let orphan = orphan(&store);
    store.sweep_daily().unwrap();
    assert!(orphan.exists());
    make_due(&store);
    assert!(store.sweep_is_due().unwrap());
    let content = store.content(&cx().cancel).unwrap();
    store.sweep_daily().unwrap();
    assert!(orphan.exists() && store.sweep_is_due().unwrap(), "somebody adds content");
    drop(content);
    store.sweep_daily().unwrap();
    assert!(!orphan.exists() && !store.sweep_is_due().unwrap());
    store.write(|tx| Ok(tx.execute("UPDATE meta SET value = unixepoch() + 90000 WHERE key = 'swept'", [])?)).unwrap();
    assert!(store.sweep_is_due().unwrap(), "the clock was wrong");
}

#[test]
fn a_sweep_of_a_clean_store_keeps_nobody_out() {
    let (_root, store) = Root::new();
    make_image(&store, "app:1", &["one"]);
    make_due(&store);
    let content = store.content(&cx().cancel).unwrap();
    store.sweep_daily().unwrap();
    drop(content);
    assert!(!store.sweep_is_due().unwrap(), "there was nothing to wait for");
}

#[test]
fn the_cleaner_sweeps_after_a_script() {
    let shanty = Shanty::new();
    shanty.eval("images()").ok();
    let store = Store::open(&shanty.root()).unwrap();
    let orphan = orphan(&store);
    make_due(&store);
    shanty.eval("images()").ok();
    wait_until(Duration::from_secs(20), || !orphan.exists() && !store.sweep_is_due().unwrap());
}
