//! Programs that must not compile. The messages are compared where `THENABLE_COMPARE_MESSAGES` is set, for they differ from
//! compiler to compiler (`ci/compile.sh`); everywhere, each program must fail with the error that its first line names.

use std::path::{Path, PathBuf};
use std::process::Command;

fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut programs: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    programs.sort();
    programs
}

/// Each program fails with its own error, and with no other.
#[test]
fn each_fails_with_the_error_that_it_names() {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let library = newest(&deps, "libthenable-", "rlib");
    let out = tempfolder(&deps);
    let programs = programs();
    assert!(programs.len() >= 12, "{} programs", programs.len());
    let mut wrong = Vec::new();
    for program in programs {
        let source = std::fs::read_to_string(&program).unwrap();
        let expected = source.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap();
        let expected: Vec<&str> = expected.split(' ').take_while(|word| word.starts_with('E')).collect();
        assert!(!expected.is_empty(), "{}: the first line names no error", program.display());
        let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args(["--edition=2024", "--crate-type=bin", "--emit=metadata", "--error-format=short", "--extern"])
            .arg(format!("thenable={}", library.display()))
            .arg("-L")
            .arg(format!("dependency={}", deps.display()))
            .arg("--out-dir")
            .arg(&out)
            .arg(&program)
            .output()
            .unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        let mut codes: Vec<&str> = messages.split("error[").skip(1).filter_map(|rest| rest.split(']').next()).collect();
        codes.sort_unstable();
        codes.dedup();
        // Some have no number.
        let unnumbered = [("Elifetime", "error: lifetime"), ("Esend", "error: future cannot be sent between threads")];
        codes.extend(unnumbered.iter().filter(|(_, text)| messages.contains(text)).map(|(code, _)| code));
        if output.status.success() || codes != expected {
            wrong.push(format!("{}: {codes:?} instead of {expected:?}\n{messages}", program.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The messages say what is wrong, in words that somebody has read.
#[test]
fn the_messages_are_those_that_are_written_down() {
    if std::env::var_os("THENABLE_COMPARE_MESSAGES").is_none() {
        println!("skipped: messages are compared on one compiler only");
        return;
    }
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

fn tempfolder(near: &Path) -> PathBuf {
    let folder = near.join("compile-fail");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn newest(folder: &Path, start: &str, extension: &str) -> PathBuf {
    let fits = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(start) && path.extension().is_some_and(|found| found == extension)
    };
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(fits);
    paths.max_by_key(|path| path.metadata().and_then(|data| data.modified()).unwrap()).expect("the library is built")
}
