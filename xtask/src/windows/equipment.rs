//! What stands for Windows in the tests: Wine, the shim and the stand-in driver (see lab/windows/README.md).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::succeeds;

const SOURCES: &str = "lab/windows";
const COMPILER: &str = "/usr/bin/x86_64-w64-mingw32-gcc";
const WINE: &str = "/usr/lib/wine/wine64";
const WINESERVER: &str = "/usr/lib/wine/wineserver";
const WARNINGS: [&str; 4] = ["-O2", "-Wall", "-Wextra", "-Werror"];

/// A Wine prefix with the shim and the driver in it.
pub(super) struct Equipment {
    prefix: PathBuf,
}

impl Equipment {
    /// Makes the prefix when there is none; compiles the shim and the driver anew, which takes a second.
    pub(super) fn prepare(folder: &Path) -> Result<Self> {
        let equipment = Self {
            prefix: folder.join("prefix"),
        };
        equipment.make_prefix()?;
        let system = equipment.prefix.join("drive_c/windows/system32");
        compile_shim(&system.join("bcryptprimitives.dll"))?;
        compile_driver(&system.join("drivers/lanpartytap.sys"))?;
        let programs = folder.join("bin");
        fs::create_dir_all(&programs).context("make a folder for programs")?;
        for (source, program) in [("probe.c", "probe.exe"), ("squat.c", "squat.exe")] {
            compile_program(source, &programs.join(program))?;
        }
        Ok(equipment)
    }

    /// Lets cargo run Windows programs in the prefix.
    pub(super) fn runs<'a>(&self, cargo: &'a mut Command) -> &'a mut Command {
        self.environment(cargo)
            .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", WINE)
    }

    fn make_prefix(&self) -> Result<()> {
        if self.prefix.join("system.reg").exists() {
            return Ok(());
        }
        println!("Making a Windows for Wine; this once takes half a minute.");
        let making = self.prefix.with_extension("making");
        let _ = fs::remove_dir_all(&making);
        fs::create_dir_all(&making).context("make a folder for Wine")?;
        let unfinished = Self { prefix: making };
        succeeds(
            unfinished.environment(Command::new(WINE).args(["wineboot", "-i"])),
            "wineboot",
        )?;
        // Only a session that has ended has written its registry.
        succeeds(
            unfinished.environment(Command::new(WINESERVER).arg("-w")),
            "wineserver",
        )?;
        fs::rename(&unfinished.prefix, &self.prefix).context("keep the prefix")
    }

    /// No debugger, no menus, no Mono and no Gecko, which would ask whether to be installed.
    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WINEPREFIX", &self.prefix)
            .env("WINEDEBUG", "-all")
            .env(
                "WINEDLLOVERRIDES",
                "winedbg.exe,winemenubuilder.exe,mscoree,mshtml=d",
            )
            .env_remove("DISPLAY")
    }
}

fn compile_shim(to: &Path) -> Result<()> {
    let mut compiler = Command::new(COMPILER);
    compiler
        .args(WARNINGS)
        .args(["-D_WIN32_WINNT=0x0A00", "-shared", "-o"])
        .arg(to)
        .args(c_files("shim")?)
        .args([
            "-ladvapi32",
            "-liphlpapi",
            "-lole32",
            "-lsetupapi",
            "-lws2_32",
        ]);
    succeeds(&mut compiler, "the C compiler for the shim")
}

fn compile_program(source: &str, to: &Path) -> Result<()> {
    let mut compiler = Command::new(COMPILER);
    compiler
        .args(WARNINGS)
        .args(["-D_WIN32_WINNT=0x0A00", "-o"])
        .arg(to)
        .arg(Path::new(SOURCES).join(source))
        .args(["-lws2_32", "-liphlpapi", "-lcfgmgr32", "-lole32"]);
    succeeds(&mut compiler, "the C compiler for the tests' own programs")
}

fn compile_driver(to: &Path) -> Result<()> {
    let mut compiler = Command::new(COMPILER);
    compiler
        .args(WARNINGS)
        .args(["-shared", "-nostdlib", "-nostartfiles"])
        .args(["-Wl,--subsystem,native", "-Wl,--entry,DriverEntry"])
        .args(["-I", "/usr/x86_64-w64-mingw32/include/ddk", "-o"])
        .arg(to)
        .args(c_files("tap")?)
        .args(["-lntoskrnl", "-lhal", "-lws2_32", "-lkernel32"]);
    succeeds(&mut compiler, "the C compiler for the driver")
}

fn c_files(part: &str) -> Result<Vec<PathBuf>> {
    let folder = Path::new(SOURCES).join(part);
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("list {}: run this in the repository", folder.display()))?;
    let files = entries.map(|entry| Ok(entry?.path()));
    let mut files: Vec<_> = files.collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "c"));
    files.sort();
    Ok(files)
}
