//! What the system knows of this process: memory, file descriptors, time on the processor.

use crate::sheet::Sheet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What can be asked of the system, opened before the program may open no more files.
#[derive(Debug)]
pub(crate) struct Process {
    started: Duration,
    #[cfg(target_os = "linux")]
    memory: Option<std::fs::File>,
    #[cfg(target_os = "linux")]
    descriptors: Option<std::fs::File>,
}

impl Process {
    pub(crate) fn open() -> Self {
        Process {
            started: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            #[cfg(target_os = "linux")]
            memory: std::fs::File::open("/proc/self/statm").ok(),
            #[cfg(target_os = "linux")]
            descriptors: std::fs::File::open("/proc/self/fd").ok(),
        }
    }

    /// What every program with metrics has, by the names that Prometheus' own libraries give it.
    pub(crate) fn write(&self, sheet: &mut Sheet) {
        let seconds = self.started.as_secs_f64();
        let help = "When the process started, in seconds since 1970";
        sheet.common_gauge("process_start_time_seconds", help, seconds);
        #[cfg(target_os = "linux")]
        self.write_linux(sheet);
    }

    #[cfg(target_os = "linux")]
    fn write_linux(&self, sheet: &mut Sheet) {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        let help = "Processor time that the process has used";
        sheet.common_counter("process_cpu_seconds", help, seconds);
        if let Some(bytes) = self.memory.as_ref().and_then(resident) {
            let help = "Memory that the process has in use";
            sheet.common_gauge("process_resident_memory_bytes", help, bytes as f64);
        }
        if let Some(count) = self.descriptors.as_ref().and_then(open_descriptors) {
            let help = "File descriptors that are open";
            sheet.common_gauge("process_open_fds", help, count as f64);
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        if let Some(limit) = limit.current {
            let help = "File descriptors that may be open";
            sheet.common_gauge("process_max_fds", help, limit as f64);
        }
    }
}

/// The second number of /proc/PID/statm is the pages that are in memory (proc(5)).
#[cfg(target_os = "linux")]
fn resident(statm: &std::fs::File) -> Option<u64> {
    use std::os::unix::fs::FileExt as _;
    let mut text = [0; 128];
    let len = statm.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(&text[..len]).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The entries of /proc/PID/fd but for the two that every folder has.
#[cfg(target_os = "linux")]
fn open_descriptors(folder: &std::fs::File) -> Option<usize> {
    use rustix::fs::{RawDir, SeekFrom, seek};
    seek(folder, SeekFrom::Start(0)).ok()?;
    let mut room = [std::mem::MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(folder, &mut room);
    let mut count = 0;
    while let Some(entry) = entries.next() {
        let name = entry.ok()?;
        count += usize::from(name.file_name().to_bytes().first() != Some(&b'.'));
    }
    Some(count)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn memory_and_descriptors_are_those_of_the_moment() {
        let process = Process::open();
        let folder = process.descriptors.as_ref().unwrap();
        let before = open_descriptors(folder).unwrap();
        let more: Vec<_> = (0..200).map(|_| File::open("/dev/null").unwrap()).collect();
        // Other tests of this program open and close some too.
        let during = open_descriptors(folder).unwrap();
        assert!(during + 50 >= before + more.len(), "{before} then {during}");
        let bytes = resident(process.memory.as_ref().unwrap()).unwrap();
        assert!((1 << 18..1 << 34).contains(&bytes), "{bytes}");
    }
}
