//! CPU time, from the system's clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How often the clock is read to learn what reading it costs.
const CLOCK_READS: usize = 2_000;

/// What this thread has used.
pub(super) fn of_thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// What all threads of this process have used.
pub(super) fn of_process() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// What one reading of the thread's clock costs: the median.
pub(super) fn clock_cost() -> Duration {
    let mut costs: Vec<Duration> = (0..CLOCK_READS)
        .map(|_| {
            let before = of_thread();
            of_thread().saturating_sub(before)
        })
        .collect();
    costs.sort_unstable();
    costs.get(CLOCK_READS / 2).copied().unwrap_or_default()
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_uses_cpu_time_and_waiting_does_not() {
        let before = of_thread();
        let mut sum = 0_u64;
        while of_thread() - before < Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let worked = of_thread();
        std::thread::sleep(Duration::from_millis(50));
        assert!(of_thread() - worked < Duration::from_millis(25));
        assert!(of_process() >= worked - before);
    }
}
