//! The way into a running system: everything is let through, the candidate is in shadow, and what it
//! would have done is told before it comes into force.

use crate::newcomer::{MAIL, OTHER_MAIL};
use crate::support::Home;

#[test]
fn a_candidate_is_tried_in_shadow_replayed_and_put_in_force() {
    let home = Home::new();
    let server = home.serve(&["--bundle", "allow-all"]);
    home.expect(1, &["policy", "shadow", "show"]);
    home.expect(1, &["policy", "shadow", "end"]);
    let nothing = home.expect(0, &["policy", "shadow", "report"]);
    assert!(nothing.contains("no call was judged in shadow"));
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    let decide = |mail| home.expect(0, &["decide", "email.send", mail, "--intent", &intent]);
    decide(OTHER_MAIL);

    let candidate = home.ok(&["policy", "shadow", "set", "mail-agent"]);
    assert!(candidate.starts_with("sha256:"), "{candidate}");
    let shown = home.ok(&["policy", "shadow", "show"]);
    assert!(shown.contains("mail-agent") && shown.contains(&candidate));
    let listed = home.ok(&["policy", "list"]);
    assert!(listed.contains("in force") && listed.contains("in shadow"));
    let none_yet = home.expect(0, &["policy", "shadow", "report"]);
    assert!(none_yet.contains("no call was judged under"), "{none_yet}");
    home.expect(2, &["policy", "shadow", "report", "--bundle", "mail-agent"]);
    decide(MAIL);
    decide(OTHER_MAIL);
    decide(OTHER_MAIL);
    let report = home.json(1, &["policy", "shadow", "report"]);
    assert_eq!(
        (
            &report["calls"],
            &report["agreed"],
            &report["newly_stopped"]
        ),
        (&3.into(), &1.into(), &2.into())
    );
    let today = home.json(1, &["policy", "shadow", "report", "--since", "1h"]);
    assert_eq!(today["calls"], 3);
    let group = &report["groups"][0];
    assert_eq!(group["rule"], "countersign.no-permit");
    assert_eq!(
        (&group["count"], &group["action"]),
        (&2.into(), &"email.send".into())
    );
    let example = group["examples"][0].as_str().unwrap();
    let text = home.expect(1, &["policy", "shadow", "report"]);
    assert!(
        text.contains("newly stopped    2") && text.contains(example),
        "{text}"
    );
    let why = home.ok(&["explain", example, "--purpose", "what was stopped"]);
    assert!(why.contains("in shadow"), "{why}");
    let listed = home.ok(&["entries", "--kind", "decision"]);
    assert!(listed.contains("in shadow: rejected"), "{listed}");

    // What came before the bundle was in shadow is told by a replay.
    let replay = ["policy", "replay", "--against", &candidate];
    let told = home.json(1, &replay);
    assert_eq!(
        (&told["judged"], &told["unchanged"], &told["newly_stopped"]),
        (&4.into(), &1.into(), &3.into())
    );
    let few = home.json(
        1,
        &[
            "policy",
            "replay",
            "--against",
            "mail-agent",
            "--limit",
            "2",
        ],
    );
    assert_eq!((&few["judged"], &few["more"]), (&2.into(), &true.into()));
    let calls = home.expect(
        1,
        &["policy", "replay", "--against", "mail-agent", "--calls"],
    );
    assert!(
        calls.contains("newly stopped") && calls.contains("\"to\""),
        "{calls}"
    );
    let since = told["changes"][0]["entry_id"].as_str().unwrap();
    let late = home.json(
        1,
        &[
            "policy",
            "replay",
            "--against",
            &candidate,
            "--since",
            since,
        ],
    );
    assert_eq!(late["judged"], 1);

    home.ok(&["policy", "activate", &candidate]);
    home.expect(1, &["policy", "shadow", "show"]);
    home.expect(
        1,
        &["decide", "email.send", OTHER_MAIL, "--intent", &intent],
    );
    let report = home.json(1, &["policy", "shadow", "report"]);
    assert_eq!(report["calls"], 3, "the last bundle that was in shadow");
    home.ok(&["export", "ex"]);
    assert_eq!(home.json(4, &["verify", "ex"])["findings_total"], 0);
    server.stop();
    let data = home.path("data/countersign");
    home.expect(0, &["fsck", data.to_str().unwrap()]);
}
