//! `import`: where modules are found, and closures that come out of them.

use crate::support::Shanty;

#[test]
fn imports_are_relative_to_the_importing_file() {
    let shanty = Shanty::new();
    shanty.write("app/main.rhai", "import \"lib/a\" as a; print(a::name());");
    shanty.write(
        "app/lib/a.rhai",
        "import \"../shared/b\" as b; fn name() { import \"../shared/b\" as b; `a ${b::name()}` }",
    );
    shanty.write("app/shared/b.rhai", "fn name() { \"b\" }");
    shanty.call(&["run", "app/main.rhai"]).prints("a b\n");
    let link = shanty.work().join("link.rhai");
    std::os::unix::fs::symlink(shanty.work().join("app/main.rhai"), link).unwrap();
    shanty.call(&["run", "link.rhai"]).prints("a b\n");
    shanty.eval("import \"app/shared/b\" as b; print(b::name())").prints("b\n");
}

#[test]
fn modules_that_import_each_other_are_refused() {
    let shanty = Shanty::new();
    shanty.write("a.rhai", "import \"b\" as b;");
    shanty.write("b.rhai", "import \"a\" as a;");
    let output = shanty.eval("import \"a\" as a;").fails_with("script");
    assert!(output.stderr.contains("modules import each other"), "{output}");
}

#[test]
fn a_module_is_loaded_once() {
    let shanty = Shanty::new();
    shanty.write("loud.rhai", "print(\"loading\"); export const X = 1;");
    shanty.eval("import \"loud\" as a; import \"loud\" as b; print(a::X + b::X)").prints("loading\n2\n");
}

#[test]
fn closures_of_a_module_work_when_they_are_called_later() {
    let shanty = Shanty::new();
    shanty.write(
        "later.rhai",
        "fn helper(x) { x * 10 }
         fn at_end(x) { defer(|| print(helper(x))) }
         fn start(x) { background(|| helper(x)) }
         fn all(list) { par_map(list, |x| helper(x)) }
         fn again() { retry(#{ delay: 0 }, |n| if n < 3 { throw n } else { helper(n) }) }",
    );
    shanty
        .eval(
            "import \"later\" as later;
             later::at_end(4);
             print(later::start(1).join());
             print(later::all([1, 2]));
             print(later::again());",
        )
        .prints("10\n[10, 20]\n30\n40\n");
}

#[test]
fn the_standard_library_is_in_the_binary() {
    let shanty = Shanty::new();
    shanty
        .eval(
            "import \"std/wait\" as wait;
             let file = fs::temp_dir() + \"/ready\";
             background(|| fs::write(file, \"\"));
             assert_eq(wait::for_file(file, \"10s\"), file);
             assert_throws(\"timeout\", || wait::for_file(\"/no/such/file\", \"20ms\"));",
        )
        .ok();
}
