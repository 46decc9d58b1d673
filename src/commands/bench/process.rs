//! What processes cost, by the kernel's own account: Linux only.

use std::fs;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// How often a process is asked for its peak: what it takes in its last moment may be missed.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What processes cost that ran at the same time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// From the start of the first to the end of the last.
    pub wall: Duration,
    /// User and system time of all together, in steps of 10 ms each.
    pub cpu: Duration,
    /// The most memory that one of them ever held (`VmHWM`).
    pub peak_kib: u64,
}

/// Runs processes at the same time, to their ends, which have to be `endings`.
pub fn measure(commands: Vec<Command>, endings: &[i32]) -> anyhow::Result<Costs> {
    let began = instant();
    let children = commands.into_iter().map(|mut command| {
        let program = command.get_program().display().to_string();
        command.spawn().with_context(|| format!("`{program}` cannot be started"))
    });
    let children: Vec<Child> = children.collect::<Result<_, _>>()?;
    let each: Vec<anyhow::Result<Costs>> = std::thread::scope(|scope| {
        let attend = |child| scope.spawn(move || attend(child, began, endings));
        let threads: Vec<_> = children.into_iter().map(attend).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a measuring thread panicked")))
        };
        threads.into_iter().map(join).collect()
    });
    each.into_iter().try_fold(Costs::default(), |all, one| {
        let one = one?;
        Ok(Costs {
            wall: all.wall.max(one.wall),
            cpu: all.cpu + one.cpu,
            peak_kib: all.peak_kib.max(one.peak_kib),
        })
    })
}

fn attend(mut child: Child, began: Instant, endings: &[i32]) -> anyhow::Result<Costs> {
    let ended = AtomicBool::new(false);
    let (wall, peak_kib) = std::thread::scope(|scope| {
        let peak = scope.spawn(|| peak_until(child.id(), &ended));
        let waited = end_of(&child);
        let wall = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        waited.map(|()| (wall, peak.join().unwrap_or_default()))
    })?;
    // It has ended and nobody has asked how: its account stays open until then.
    let cpu = cpu(child.id())?;
    let status = child.wait()?;
    let known = status.code().is_some_and(|code| endings.contains(&code));
    ensure!(known, "what is measured ended with {status}");
    Ok(Costs { wall, cpu, peak_kib })
}

fn end_of(child: &Child) -> anyhow::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            waited => return waited.map(drop).context("the process cannot be waited for"),
        }
    }
}

fn peak_until(pid: u32, ended: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !ended.load(Ordering::Relaxed) {
        peak = high_water(pid).unwrap_or_default().max(peak);
        std::thread::sleep(LOOK_EVERY);
    }
    peak
}

fn high_water(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Its own time and that of its children that ended before it.
fn cpu(pid: u32) -> anyhow::Result<Duration> {
    const FIRST: usize = 11;
    const TICKS_A_SECOND: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, numbers) = stat.rsplit_once(')').context("/proc/PID/stat cannot be read")?;
    let ticks = numbers.split_whitespace().skip(FIRST).take(4).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>().context("/proc/PID/stat cannot be read")?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

/// The present instant.
#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
pub fn instant() -> Instant {
    Instant::now()
}
