//! The folder as files: proven, the same each time, and what happens to one that was changed.

use std::process::Command;

use countersign_core::document::Document as _;
use countersign_core::entry::Body;
use countersign_evidence::{Files, NotAgain, Question, check, zip};
use countersign_note::Note;
use countersign_story::log::{self, Witness};
use countersign_story::story::{Story, story};
use countersign_verify::{Trust, Word};

use crate::support::{folder, folder_under, folder_with, text};

fn of_flag(story: &Story) -> Question {
    Question::Entry(story.id("flag"))
}

fn held(files: &Files) -> Trust {
    log::trust().holding(Note::parse(&files["checkpoint"]).unwrap())
}

#[test]
fn a_folder_is_as_proven_as_the_readers_own_keys_and_anchors_make_it() {
    let story = story();
    let (files, standing) = folder(&story, &of_flag(&story));
    assert_eq!(standing.word, Word::Unanchored);
    let entries = files.keys().filter(|name| name.starts_with("entries/"));
    assert_eq!(entries.count() as u64, standing.proven);

    let unanchored = check(&files, &log::trust(), false);
    assert_eq!(unanchored.standing.word, Word::Unanchored, "{unanchored:?}");
    let trusted = check(&files, &held(&files), false);
    assert_eq!(trusted.standing.word, Word::Trusted, "{trusted:?}");
    assert!(trusted.bundles > 0);

    // The root key alone vouches for the log's key, by the entries of the folder.
    let root_only = Trust {
        log_keys: Vec::new(),
        ..held(&files)
    };
    let checked = check(&files, &root_only, false);
    assert_eq!(checked.standing.word, Word::Trusted, "{checked:?}");
    // Nothing in the folder is believed because it is there.
    let nobody = check(&files, &Trust::default(), false);
    assert_eq!(nobody.standing.word, Word::Failed);
    let stranger = Trust::in_key(log_key_of_another());
    assert_eq!(check(&files, &stranger, false).standing.word, Word::Failed);
    // A checkpoint of another size says nothing, and that is said.
    let earlier = log::checkpoint(&story.leaves()[..20]);
    let checked = check(&files, &log::trust().holding(earlier), false);
    assert_eq!(checked.standing.word, Word::Unanchored);
    assert!(checked.standing.held_elsewhere);
}

fn log_key_of_another() -> countersign_note::VerifierKey {
    use countersign_note::NoteSigner as _;
    log::Key::new(log::ORIGIN, 77).verifier_key().clone()
}

#[test]
fn a_checkpoint_of_the_same_size_with_another_root_is_a_contradiction() {
    let story = story();
    let (files, _) = folder(&story, &of_flag(&story));
    let mut leaves = story.leaves();
    let last = leaves.len() - 1;
    leaves[last] = leaves[0].clone();
    let other = log::trust().holding(log::checkpoint(&leaves));
    let checked = check(&files, &other, false);
    assert!(checked.standing.contradicts);
    assert_eq!(checked.standing.word, Word::Failed);
}

#[test]
fn witnesses_that_the_reader_believes_anchor_a_folder() {
    let story = story();
    let (mut files, _) = folder(&story, &of_flag(&story));
    let (witness, policy) = Witness::new();
    let trust = Trust {
        policy: Some(policy),
        ..log::trust()
    };
    assert_eq!(check(&files, &trust, false).standing.word, Word::Unanchored);
    // Cosigned where it stands alone, it is another note than that of the proofs.
    let mut note = Note::parse(&files["checkpoint"]).unwrap();
    witness.cosign(&mut note);
    files.insert("checkpoint".to_owned(), note.to_string().into_bytes());
    let checked = check(&files, &trust, false);
    assert!(!checked.standing.anchors.is_empty());
    assert_eq!(checked.standing.word, Word::Failed);
}

#[test]
fn the_same_checkpoint_and_rights_give_the_same_bytes() {
    let story = story();
    let (first, _) = folder(&story, &of_flag(&story));
    let (second, _) = folder(&story, &of_flag(&story));
    assert_eq!(first, second);
    assert_eq!(zip("incident", &first), zip("incident", &second));
    let opened = || folder_with(&story, &of_flag(&story), log::trust(), |_| true).0;
    assert_eq!(opened(), opened());
    assert_ne!(opened(), first);
}

#[test]
fn every_file_that_is_changed_taken_away_or_added_is_found() {
    let story = story();
    let (files, _) = folder_with(&story, &of_flag(&story), log::trust(), |_| true);
    let trust = held(&files);
    let sound = check(&files, &trust, false);
    assert_eq!(sound.standing.word, Word::Trusted, "{sound:?}");
    let mut taken_away = std::collections::BTreeSet::new();
    for name in files.keys() {
        let mut changed = files.clone();
        let bytes = changed.get_mut(name).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let checked = check(&changed, &trust, false);
        assert_eq!(checked.standing.word, Word::Failed, "{name} changed");
        // One of each directory is as good as another.
        let directory = name.split_once('/').map_or(name.as_str(), |(it, _)| it);
        if !taken_away.insert(directory) {
            continue;
        }
        let mut missing = files.clone();
        missing.remove(name);
        let checked = check(&missing, &trust, false);
        assert_eq!(checked.standing.word, Word::Failed, "{name} missing");
    }
    for name in [
        "entries/x.json",
        "documents/x.json",
        "bundles/x.json",
        "other",
    ] {
        let mut more = files.clone();
        more.insert(name.to_owned(), b"{}".to_vec());
        let checked = check(&more, &trust, false);
        assert_eq!(checked.standing.word, Word::Failed, "{name} added");
    }
}

/// Whoever changes a file can write the manifest anew: then the proofs find it.
#[test]
fn what_the_manifest_hides_the_proofs_find() {
    let story = story();
    let (files, _) = folder_with(&story, &of_flag(&story), log::trust(), |_| true);
    let trust = held(&files);
    let again = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        remade(&mut files);
        check(&files, &trust, false)
    };
    assert_eq!(again(&|_| {}).standing.word, Word::Trusted);
    let first = |below: &str| {
        let mut names = files.keys().filter(|name| name.starts_with(below));
        names.next().unwrap().clone()
    };
    for below in ["entries/", "proofs/", "bundles/", "documents/"] {
        let name = first(below);
        let checked = again(&|files| {
            let bytes = files.get_mut(&name).unwrap();
            let end = bytes.len() - 3;
            bytes[end] ^= 1;
        });
        assert_eq!(checked.standing.word, Word::Failed, "{name}");
    }
    // An entry under the name and proof of another.
    let decisions: Vec<String> = files
        .keys()
        .filter(|name| name.starts_with("entries/"))
        .filter(|name| text(&files, name).contains("\"rejected\""))
        .cloned()
        .collect();
    let checked = again(&|files| {
        let other = files[&decisions[1]].clone();
        files.insert(decisions[0].clone(), other);
    });
    assert_eq!(checked.standing.word, Word::Failed);
    // A bundle that is not there any more.
    let bundle = first("bundles/");
    let checked = again(&|files| {
        files.remove(&bundle);
    });
    assert_eq!(checked.standing.word, Word::Failed);
}

/// Whoever makes a folder by hand can put true copies of anything into it.
#[test]
fn what_no_entry_names_has_no_place_in_a_folder() {
    use countersign_core::document::Statement;
    let story = story();
    let (files, _) = folder_with(&story, &of_flag(&story), log::trust(), |_| true);
    let trust = held(&files);
    let with = |below: &str, bytes: &[u8]| {
        let mut files = files.clone();
        let digest = countersign_core::refs::Sha256::of(bytes).to_string();
        let name = format!("{below}/{}.json", &digest["sha256:".len()..]);
        files.insert(name, bytes.to_vec());
        remade(&mut files);
        check(&files, &trust, true)
    };
    let made_up = Statement {
        tenant: "acme".parse().unwrap(),
        text: "The person told the agent to do it.".to_owned(),
        salt: "A".repeat(43).parse().unwrap(),
    };
    let sound = check(&files, &trust, false);
    let checked = with("documents", made_up.canonical().unwrap().as_bytes());
    assert_eq!(checked.standing.word, Word::Failed, "{checked:?}");
    assert_eq!(checked.documents, sound.documents);
    let bundle = countersign_story::story::bundle("never published");
    let checked = with("bundles", bundle.canonical().unwrap().as_bytes());
    assert_eq!(checked.standing.word, Word::Failed, "{checked:?}");

    // The list of entries is the entries that are there.
    let listed = |change: &dyn Fn(&mut Vec<serde_json::Value>)| {
        let mut files = files.clone();
        let mut manifest: serde_json::Value =
            serde_json::from_slice(&files["manifest.json"]).unwrap();
        change(manifest["entries"].as_array_mut().unwrap());
        let bytes = serde_json::to_vec(&manifest).unwrap();
        files.insert("manifest.json".to_owned(), bytes);
        remade(&mut files);
        check(&files, &trust, false).standing.word
    };
    assert_eq!(listed(&|_| {}), Word::Trusted);
    assert_eq!(listed(&|entries| drop(entries.pop())), Word::Failed);
    assert_eq!(
        listed(&|entries| entries[3]["kind"] = "review".into()),
        Word::Failed
    );
}

/// Writes manifest and sums anew over what is there.
fn remade(files: &mut Files) {
    use countersign_core::refs::Sha256;
    let mut manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let is_own = |name: &str| name == "manifest.json" || name == "SHA256SUMS";
    let listed: serde_json::Map<String, serde_json::Value> = files
        .iter()
        .filter(|(name, _)| !is_own(name))
        .map(|(name, bytes)| (name.clone(), Sha256::of(bytes).to_string().into()))
        .collect();
    manifest["files"] = listed.into();
    let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
    files.insert("manifest.json".to_owned(), bytes);
    let sums: String = files
        .iter()
        .filter(|(name, _)| *name != "SHA256SUMS")
        .map(|(name, bytes)| {
            let digest = Sha256::of(bytes).to_string();
            format!("{}  {name}\n", &digest["sha256:".len()..])
        })
        .collect();
    files.insert("SHA256SUMS".to_owned(), sums.into_bytes());
}

/// The story under a bundle that compiles, and its text.
fn judged() -> (Story, Vec<u8>) {
    let mut story = story();
    let mut bundle = countersign_story::story::bundle("first");
    bundle.content.counters = Vec::new();
    let policy = bundle.reference().unwrap();
    for (_, entry) in &mut story.entries {
        match &mut entry.body {
            Body::Decision(body) => body.policy_ref = policy,
            Body::Flag(body) => body.policy_ref = policy,
            Body::Policy(body) => body.policy_ref = policy,
            _ => {}
        }
    }
    (story, bundle.canonical().unwrap().into_bytes())
}

#[test]
fn what_judged_again_comes_out_otherwise_is_said() {
    let (story, bundle) = judged();
    // The story's facts are made up, so its verdicts do not come out again.
    let open = |_: &countersign_core::refs::Sha256| true;
    let trust = log::trust();
    let (files, standing) = folder_under(
        &story,
        &of_flag(&story),
        trust,
        open,
        std::slice::from_ref(&bundle),
    );
    assert_eq!(standing.word, Word::Failed);
    let report = text(&files, "report.md");
    assert!(report.contains("came out otherwise"), "{report}");
    assert!(
        report.contains("forbid(principal, action, resource)"),
        "{report}"
    );
    let checked = check(&files, &held(&files), true);
    assert_eq!(checked.standing.word, Word::Failed);
    // The entries themselves are as proven as before.
    let checked = check(&files, &held(&files), false);
    assert_eq!(checked.standing.word, Word::Trusted, "{checked:?}");
    // Sealed, nothing is judged again, and that is no failure.
    let sealed = |_: &countersign_core::refs::Sha256| false;
    let (files, _) = folder_under(&story, &of_flag(&story), log::trust(), sealed, &[bundle]);
    let checked = check(&files, &held(&files), true);
    assert_eq!(checked.standing.word, Word::Trusted, "{checked:?}");
    let again = checked.rejudged.unwrap();
    assert_eq!(again.agreed, 0);
    assert!(again.not_rejudged[&NotAgain::Sealed] >= 4, "{again:?}");
}

#[test]
fn other_programs_read_the_archive() {
    let story = story();
    let (files, _) = folder(&story, &of_flag(&story));
    let bytes = zip("incident", &files).unwrap();
    let dir = std::env::temp_dir().join(format!("countersign-evidence-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("incident.zip");
    std::fs::write(&file, &bytes).unwrap();
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let program = "import sys, zipfile\n\
        z = zipfile.ZipFile(sys.argv[1])\n\
        assert z.testzip() is None\n\
        assert all(i.date_time == (1980, 1, 1, 0, 0, 0) for i in z.infolist())\n\
        print(len(z.namelist()), z.read('incident/checkpoint').decode().split('\\n')[0])\n";
    let ran = Command::new(&python)
        .args(["-c", program])
        .arg(&file)
        .output();
    let _ = std::fs::remove_dir_all(&dir);
    let Ok(ran) = ran else {
        eprintln!("SKIPPED: there is no `{python}` to read the archive with");
        return;
    };
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_eq!(said.trim(), format!("{} {}", files.len(), log::ORIGIN));
}
