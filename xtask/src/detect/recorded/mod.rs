//! Recorded runs of agents: what is flagged in those without an attack, and in those with one.

mod play;
mod report;
mod scene;
mod truth;

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget};

use self::play::{Played, Player};
use crate::error::Error;
use crate::replay::recording::{self, Run};
use crate::replay::recordings;
use crate::workspace;

pub(super) use self::report::Report;

/// How many runs of each recording a smoke run plays.
const SMOKE_RUNS: usize = 12;

/// Plays all recordings that are at hand and measures; nothing if there are none.
pub(super) fn measure(seeds: &[u64], smoke: bool) -> Result<Option<Report>, Error> {
    let data = workspace::root().join("../shared/data");
    let files = recordings(&data);
    if files.is_empty() {
        eprintln!(
            "SKIPPED: `{}` holds no recordings, so nothing was detected in them",
            data.display()
        );
        return Ok(None);
    }
    let player = Player::begin(&workspace::root().join("examples/agentdojo/bundle"))?;
    let played = play(&player, &files, smoke)?;
    let settings = player.settings();
    let scenes = seeds
        .iter()
        .map(|seed| scene::Scene::play(*seed, &played, &settings))
        .collect();
    Ok(Some(Report::of(seeds, &played, scenes)))
}

fn play(player: &Player, files: &[PathBuf], smoke: bool) -> Result<Vec<Played>, Error> {
    let mut played = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".jsonl.zst").to_owned();
        let mut runs: Vec<Run> = recording::read(file)?;
        if smoke {
            // Some from everywhere: those without an attack stand together.
            let step = runs.len().div_ceil(SMOKE_RUNS).max(1);
            runs = runs.into_iter().step_by(step).collect();
        }
        eprintln!("{name}: {} runs", runs.len());
        let target = ProgressDrawTarget::stderr_with_hz(2);
        let bar = ProgressBar::with_draw_target(Some(runs.len() as u64), target);
        for (n, run) in runs.iter().enumerate() {
            played.push(player.play(&name, n, run)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
    }
    Ok(played)
}
