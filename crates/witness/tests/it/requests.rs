//! The text of a request.

use countersign_merkle::TreeSize;
use countersign_witness::{AddCheckpoint, MAX_PROOF_LINES, MAX_REQUEST_LEN, RequestError};

use crate::kit::Log;

/// The example of the specification: its checkpoint's signatures are of keys that nobody knows here.
const EXAMPLE: &str = "old 20852014\n\
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
    5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
    /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
    \n\
    example.com/behind-the-sofa\n\
    20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
    \n\
    \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    \u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";

fn refused(body: &str) -> RequestError {
    AddCheckpoint::parse(body.as_bytes()).unwrap_err()
}

#[test]
fn the_example_of_the_specification_is_read_and_written_back() {
    let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(request.old(), TreeSize::new(20_852_014));
    assert_eq!(request.proof().len(), 4);
    assert_eq!(request.checkpoint().signatures().len(), 2);
    assert_eq!(request.to_string(), EXAMPLE);
}

#[test]
fn what_is_no_request_is_refused_for_its_first_flaw() {
    for (from, to) in [
        ("old 20852014", "old 020852014"),
        ("old 20852014", "old -1"),
        ("old 20852014", "old +1"),
        ("old 20852014", "old  1"),
        ("old 20852014", "old 1 "),
        ("old 20852014", "old"),
        ("old 20852014", "Old 1"),
        ("old 20852014", " old 1"),
        ("old 20852014", "old 18446744073709551616"),
        ("old 20852014", "old 9223372036854775809"),
    ] {
        let body = EXAMPLE.replacen(from, to, 1);
        assert_eq!(refused(&body), RequestError::Old, "{to}");
    }
    for line in [
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw",
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkax=",
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\r",
        " PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=",
        "PlRN",
    ] {
        let body = EXAMPLE.replacen("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", line, 1);
        assert_eq!(
            refused(&body),
            RequestError::ProofHash { line: 1 },
            "{line}"
        );
    }
    assert_eq!(refused(""), RequestError::NoBlankLine);
    assert_eq!(refused("old 0\n"), RequestError::NoBlankLine);
    assert_eq!(
        refused(&EXAMPLE.replace('\n', "\r\n")),
        RequestError::NoBlankLine
    );
    assert_eq!(
        AddCheckpoint::parse(b"old 0\n\n\xff").unwrap_err(),
        RequestError::NotUtf8
    );
    assert!(matches!(
        refused("old 0\n\nnothing signed\n"),
        RequestError::Note(_)
    ));
    assert!(matches!(refused("old 0\n\n"), RequestError::Note(_)));
}

#[test]
fn a_request_is_bounded() {
    let log = Log::new(1, 0);
    let hash = log.checkpoint(1).root();
    let proof = vec![hash; MAX_PROOF_LINES];
    let most = AddCheckpoint::new(TreeSize::new(1), proof, log.note(1)).unwrap();
    AddCheckpoint::parse(most.to_string().as_bytes()).unwrap();
    let line = EXAMPLE.lines().nth(1).unwrap();
    let one_more = most
        .to_string()
        .replacen("old 1\n", &format!("old 1\n{line}\n"), 1);
    assert_eq!(refused(&one_more), RequestError::TooManyLines);
    let too_many = AddCheckpoint::new(TreeSize::new(1), vec![hash; 64], log.note(1));
    assert_eq!(too_many.unwrap_err(), RequestError::TooManyLines);
    let long = " ".repeat(MAX_REQUEST_LEN + 1);
    assert!(matches!(refused(&long), RequestError::TooLong { .. }));
}
