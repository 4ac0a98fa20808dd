//! `COPY`: which files, where to, whose, with which modes.

use super::{fails, sh};
use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use std::os::unix::fs::{PermissionsExt, symlink};

fn context(shanty: &Shanty) {
    for (path, content) in [
        ("app/a.txt", "a"),
        ("app/b.txt", "b"),
        ("app/c.md", "c"),
        ("app/dir/one", "1"),
        ("app/dir/sub/two", "2"),
        ("app/dir/sub/two.log", "log"),
        ("app/x/y/z/deep", "deep"),
    ] {
        shanty.write(path, content);
    }
    let work = shanty.work().join("app");
    std::fs::set_permissions(work.join("dir/one"), std::fs::Permissions::from_mode(0o751)).unwrap();
    symlink("one", work.join("dir/link")).unwrap();
    symlink("dir", work.join("linked")).unwrap();
}

#[test]
fn sources_land_where_docker_puts_them() {
    let shanty = require!(with_busybox());
    context(&shanty);
    for (line, found) in [
        ("COPY a.txt /x", "/x"),
        ("COPY a.txt /x/", "/x /x/a.txt"),
        ("COPY a.txt b.txt /x/", "/x /x/a.txt /x/b.txt"),
        ("COPY *.txt /x/", "/x /x/a.txt /x/b.txt"),
        ("COPY [ab].* /x/", "/x /x/a.txt /x/b.txt"),
        ("RUN mkdir /x\nCOPY a.txt /x", "/x /x/a.txt"),
        ("COPY dir /x", "/x /x/link /x/one /x/sub /x/sub/two /x/sub/two.log"),
        ("COPY dir/ /x/", "/x /x/link /x/one /x/sub /x/sub/two /x/sub/two.log"),
        ("COPY linked /x", "/x /x/link /x/one /x/sub /x/sub/two /x/sub/two.log"),
        ("COPY dir/* /x/", "/x /x/link /x/one /x/two /x/two.log"),
        ("COPY --exclude=*.log --exclude=one dir /x", "/x /x/link /x/sub /x/sub/two /x/sub/two.log"),
        ("COPY --exclude=**/*.log --exclude=one dir /x", "/x /x/link /x/sub /x/sub/two"),
        ("COPY --parents a.txt x/y/./z/deep /x/", "/x /x/a.txt /x/z /x/z/deep"),
        ("COPY --parents dir/sub /x/", "/x /x/dir /x/dir/sub /x/dir/sub/two /x/dir/sub/two.log"),
        ("COPY ../../a.txt /x", "/x"),
        ("COPY [\"a.txt\", \"/x y/\"]", "/x y /x y/a.txt"),
        ("WORKDIR /x\nCOPY a.txt .", "/x /x/a.txt"),
        ("WORKDIR /x\nCOPY a.txt b/", "/x /x/b /x/b/a.txt"),
        ("COPY none* a.txt /x/", "/x /x/a.txt"),
    ] {
        let all = sh(&shanty, &format!("FROM busybox:1\n{line}\n"), "find /x* | sort");
        assert_eq!(all.replace('\n', " "), found, "{line}");
    }
}

#[test]
fn owners_and_modes_are_those_that_are_asked_for() {
    let shanty = require!(with_busybox());
    context(&shanty);
    let said = sh(
        &shanty,
        "FROM busybox:1\nRUN echo 'app:x:1234:1234::/:/bin/sh' >> /etc/passwd && echo 'more:x:77:' >> /etc/group\n\
         COPY dir /plain\nCOPY --chown=app:more dir /owned\nCOPY --chown=5 a.txt /five\nCOPY --chmod=640 dir /mode\n\
         COPY --chmod=u=rwX,go=rX dir /symbolic\nCOPY --chown=1234 --link a.txt /made/link\n",
        "stat -c '%n %u:%g %a' /plain/one /owned /owned/sub/two /five /mode /mode/one /symbolic/one /symbolic/sub/two /made /made/link; readlink /owned/link",
    );
    assert_eq!(
        said,
        "/plain/one 0:0 751\n/owned 1234:77 755\n/owned/sub/two 1234:77 644\n/five 5:5 644\n/mode 0:0 640\n/mode/one 0:0 640\n\
         /symbolic/one 0:0 755\n/symbolic/sub/two 0:0 644\n/made 1234:1234 755\n/made/link 1234:1234 644\none"
    );
}

#[test]
fn what_the_ignore_file_names_is_not_there() {
    let shanty = require!(with_busybox());
    context(&shanty);
    shanty.write("app/.dockerignore", "# comment\n*.md\ndir/**\n!dir/sub/two\n");
    let said = sh(&shanty, "FROM busybox:1\nCOPY . /all\n", "cd /all; find . -type f | sort");
    assert_eq!(said, "./.dockerignore\n./Dockerfile\n./a.txt\n./b.txt\n./dir/sub/two\n./x/y/z/deep");
    let error = fails(&shanty, "FROM busybox:1\nCOPY c.md /x\n");
    assert!(error.contains("ignore"), "{error}");
    // One of the Dockerfile's own comes before it.
    shanty.write("app/Dockerfile.dockerignore", "x\n");
    let said = sh(&shanty, "FROM busybox:1\nCOPY . /all\n", "cd /all; ls");
    assert_eq!(said, "Dockerfile\nDockerfile.dockerignore\na.txt\nb.txt\nc.md\ndir\nlinked");
}
