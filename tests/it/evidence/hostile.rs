//! Files that an operator, or whoever carries them, could pass off as exports. Our verifier and the one in Go each have to
//! refuse every one of them, and say why.

use super::go::Auditor;
use crate::forger::{Forger, NoteKey, Written, payload_of_use};
use leasehold::{
    evidence::{Closing, ExportVerifier, Flaw, Keys, Receipt, WitnessKey, closing_line},
    id::TenantId,
    merkle::{Hash, leaf_hash},
};

/// A log in which two tenants' entries take turns, and the export of the first.
struct Export {
    forger: Forger,
    tenant: TenantId,
    other: TenantId,
    entries: Vec<Written>,
    others: Vec<Written>,
}

impl Export {
    fn make() -> Self {
        let (tenant, other) = (Forger::tenant(1), Forger::tenant(2));
        let mut export = Self { forger: Forger::new(), tenant, other, entries: Vec::new(), others: Vec::new() };
        for number in 0..6 {
            export.used(&payload_of_use(number));
            export.others.push(export.forger.append(other, "gateway.admitted", &payload_of_use(number)));
        }
        export
    }

    /// Appends one entry more to the tenant's chain.
    fn used(&mut self, payload: &str) {
        self.entries.push(self.forger.append(self.tenant, "gateway.admitted", payload));
    }

    fn erased(&mut self, from: u64, through: u64) {
        let payload = format!(r#"{{"details":{{"from":{from},"through":{through}}}}}"#);
        self.entries.push(self.forger.append(self.tenant, "log.payloads_erased", &payload));
    }

    fn close(&mut self) -> Closing {
        self.forger.close(self.tenant, None)
    }

    /// Writes the whole file, a line each.
    fn lines(&mut self) -> Vec<String> {
        let closing = closing_line(&self.close());
        self.lines_with(closing)
    }

    fn lines_with(&self, closing: String) -> Vec<String> {
        let opening = self.forger.opening(self.tenant, self.entries.len() as u64);
        [vec![opening], self.entries.iter().map(Written::line).collect(), vec![closing]].concat()
    }

    fn closed_with(&mut self, alter: impl FnOnce(&Forger, &mut Closing)) -> Vec<String> {
        let mut closing = self.close();
        alter(&self.forger, &mut closing);
        self.lines_with(closing_line(&closing))
    }
}

/// Checks a file with both verifiers; each names the flaw in its own words.
struct Bench {
    auditor: Auditor,
    keys: Keys,
}

impl Bench {
    fn of(forger: &Forger) -> Self {
        let keys = Keys::parse(&forger.key.public()).unwrap();
        Self { auditor: Auditor::trusting(&keys), keys }
    }

    fn verdict(&self, file: &[u8], older: Option<&str>) -> Option<Flaw> {
        let read = || {
            let mut verifier = ExportVerifier::new(self.keys.clone(), older)?;
            let text = String::from_utf8(file.to_vec()).map_err(|_| Flaw::Incomplete("not text".into()))?;
            text.strip_suffix('\n').unwrap_or(&text).split('\n').try_for_each(|line| verifier.read(line))?;
            verifier.finish()
        };
        read().err()
    }

    #[track_caller]
    fn accepts(&self, lines: &[String]) {
        let file = lines.join("\n") + "\n";
        assert_eq!(self.verdict(file.as_bytes(), None), None);
        self.auditor.write("export.jsonl", &file);
        self.auditor.accepts("export", &["export.jsonl"]);
    }

    #[track_caller]
    fn rejects(&self, lines: &[String], flaw: &str, go: &str) {
        self.rejects_text(&(lines.join("\n") + "\n"), None, flaw, go);
    }

    #[track_caller]
    fn rejects_text(&self, file: &str, older: Option<&str>, flaw: &str, go: &str) {
        let found = self.verdict(file.as_bytes(), older).expect("our verifier accepts it").to_string();
        assert!(found.contains(flaw), "ours says: {found}");
        self.auditor.write("export.jsonl", file);
        match older {
            Some(older) => {
                self.auditor.write("older", older);
                self.auditor.rejects("export", &["export.jsonl", "older"], go);
            }
            None => self.auditor.rejects("export", &["export.jsonl"], go),
        }
    }
}

const CHAIN: &str = "the chain breaks at entry";
const SPELLING: &str = "in its one spelling";

#[test]
fn an_honest_export_is_accepted() {
    let mut export = Export::make();
    let bench = Bench::of(&export.forger);
    let lines = export.lines();
    bench.accepts(&lines);
    // Without the end of its last line, too.
    assert_eq!(bench.verdict(lines.join("\n").as_bytes(), None), None);
}

#[test]
fn an_entry_that_was_changed_removed_doubled_or_moved_is_refused() {
    let mut export = Export::make();
    let bench = Bench::of(&export.forger);
    let lines = export.lines();
    let altered = |alter: &dyn Fn(&mut Vec<String>)| {
        let mut altered = lines.clone();
        alter(&mut altered);
        altered
    };
    let payload = "its payload does not match its hash";
    bench.rejects(&altered(&|lines| lines[3] = lines[3].replace("orders:read", "orders:rear")), payload, payload);
    let kind = altered(&|lines| lines[3] = lines[3].replace("gateway.admitted", "gateway.ended"));
    bench.rejects(&kind, "entry 6 was altered: it does not continue the entry before it", CHAIN);
    bench.rejects(&altered(&|lines| drop(lines.remove(3))), "the chain breaks before entry 6", CHAIN);
    bench.rejects(&altered(&|lines| lines.swap(3, 4)), "the chain breaks before entry 6", CHAIN);
    bench.rejects(&altered(&|lines| lines.insert(3, lines[3].clone())), "the chain breaks before entry 4", CHAIN);
    bench.rejects(&altered(&|lines| lines[2..6].reverse()), "the chain breaks before entry", CHAIN);
    let foreign = export.others[2].line();
    bench.rejects(&altered(&|lines| lines[3] = foreign.clone()), "it is of another tenant", CHAIN);
    // The newest one is covered by its proof, not by an entry after it.
    let newest = altered(&|lines| lines[6] = lines[6].replace("gateway.admitted", "gateway.ended"));
    bench.rejects(&newest, "entry 10 is not in the tree that was signed", "entry 10 is not in the tree");
    let other_salt = altered(&|lines| lines[3] = lines[3].replacen(r#""salt":""#, r#""salt":"A"#, 1));
    bench.rejects(&other_salt, "its salt is no base64", "its salt is malformed");
    let short_salt = altered(&|lines| {
        let (before, after) = lines[3].split_once(r#""salt":""#).unwrap();
        lines[3] = format!(r#"{before}"salt":"AAAA{}"#, &after[44..]);
    });
    bench.rejects(&short_salt, "its salt is not of 32 bytes", "its salt is malformed");
}

#[test]
fn a_file_that_was_cut_or_goes_on_is_refused() {
    let mut export = Export::make();
    let bench = Bench::of(&export.forger);
    let lines = export.lines();
    for length in 0..lines.len() {
        let flaw = if length == 0 { "EOF while parsing" } else { "the file is not complete: it ends after" };
        let go = match length {
            0 => "unexpected end of JSON input",
            7 => "ends without its proofs",
            _ => "the file ends after",
        };
        bench.rejects(&lines[..length], flaw, go);
    }
    let whole = lines.join("\n") + "\n";
    for more in ["{}\n", "\n", "x", &lines[1], &lines[7]] {
        bench.rejects_text(
            &format!("{whole}{more}"),
            None,
            "goes on behind its closing line",
            "goes on behind its proofs",
        );
    }
    for more in [" ", "\t", "\r", "x", "}", ",\"a\":1"] {
        for line in [0, 3, 7] {
            let mut longer = lines.clone();
            longer[line].push_str(more);
            let text = longer.join("\n") + "\n";
            assert!(bench.verdict(text.as_bytes(), None).is_some(), "{more:?} behind line {line}");
            bench.auditor.write("longer", &text);
            assert!(bench.auditor.verdict("export", &["longer"]).is_some(), "{more:?} behind line {line}");
        }
    }
}

#[test]
fn a_tail_cut_off_with_genuine_proofs_is_refused_by_the_map() {
    let mut export = Export::make();
    let bench = Bench::of(&export.forger);
    let mut closing = export.close();
    let cut = export.entries.pop().unwrap();
    let newest = export.entries.last().unwrap().seq;
    closing.newest = export.forger.prove(newest, &export.forger.checkpoint());
    let lines = export.lines_with(closing_line(&closing));
    assert!(cut.seq > newest);
    bench.rejects(
        &lines,
        "does not name entry 8 as this tenant's newest",
        "the end was cut off, or the chain was forked",
    );
}

#[test]
fn a_chain_forked_in_the_log_is_refused_by_the_map() {
    let mut export = Export::make();
    let bench = Bench::of(&export.forger);
    // A second entry in the newest one's place, in the same log; the map knows the first.
    let map = export.forger.map();
    let before = export.entries[4].entry.clone();
    let hidden = export.entries.pop().unwrap();
    export.forger.heads.insert(export.tenant, (export.entries[4].seq, 4, leaf_hash(before.as_bytes())));
    export.used(&payload_of_use(99));
    let size = export.forger.leaves.len() as u64;
    let committed = export.forger.commit_map(size, &map.root());
    let checkpoint = export.forger.checkpoint();
    let mut closing = export.close();
    closing.path = map.find(export.tenant).unwrap().1;
    closing.newest = export.forger.prove(export.entries[5].seq, &export.forger.checkpoint());
    assert!(hidden.seq < committed.seq && !checkpoint.is_empty());
    // The map that was made before the fork, proven under the same checkpoint.
    closing.map.entry = committed.entry.clone();
    closing.map.salt = Some(data_encoding::BASE64.encode(&committed.salt));
    closing.map.payload = Some(committed.payload.clone());
    closing.map.proof = Some(export.forger.prove(committed.seq, &export.forger.checkpoint()));
    let lines = export.lines_with(closing_line(&closing));
    bench.rejects(
        &lines,
        "does not name entry 12 as this tenant's newest",
        "the end was cut off, or the chain was forked",
    );
}

#[test]
fn a_payload_is_missing_only_where_a_later_entry_says_that_it_was_erased() {
    let mut export = Export::make();
    let bench = Bench::of(&export.forger);
    let lines = export.lines();
    let with_erased = |lines: &[String], export: &Export, places: &[usize]| {
        let mut erased = lines.to_vec();
        for place in places {
            erased[place + 1] = export.entries[*place].erased_line();
        }
        erased
    };
    let missing = "are missing, and no entry says that they were erased";
    let go = "nothing says that they were erased";
    bench.rejects(
        &with_erased(&lines, &export, &[2]),
        &format!("the payloads of places 2 to 2 of the chain {missing}"),
        go,
    );
    let mut half = lines.clone();
    half[3] = half[3].split_once(r#","payload":"#).unwrap().0.to_owned() + r#","payload":null}"#;
    bench.rejects(&half, "half of its payload is missing", "half of its payload is missing");

    // Covered: the places 1 to 3, by the entry at place 6.
    export.erased(1, 3);
    export.used(&payload_of_use(7));
    let lines = export.lines();
    bench.accepts(&with_erased(&lines, &export, &[1, 2, 3]));
    bench.accepts(&with_erased(&lines, &export, &[3]));
    bench.rejects(&with_erased(&lines, &export, &[0, 1]), "places 0 to 0", go);
    bench.rejects(&with_erased(&lines, &export, &[3, 4, 5]), "places 4 to 5", go);
    // An erasure whose own payload is gone says nothing.
    bench.rejects(&with_erased(&lines, &export, &[2, 6]), "places 2 to 2", go);

    // One that claims what comes after it, itself included, covers none of it.
    let mut export = Export::make();
    export.erased(0, u64::MAX);
    export.used(&payload_of_use(8));
    let lines = export.lines();
    bench.accepts(&with_erased(&lines, &export, &[0, 5]));
    bench.rejects(&with_erased(&lines, &export, &[0, 7]), "places 7 to 7", go);
    bench.rejects(&with_erased(&lines, &export, &[6]), "places 6 to 6", go);
    // And one that says no stretch is none.
    let mut export = Export::make();
    export.entries.push(export.forger.append(
        export.tenant,
        "log.payloads_erased",
        r#"{"details":{"from":0,"through":-1}}"#,
    ));
    let lines = export.lines();
    bench.rejects(&lines, "it does not say which payloads were erased", "does not say `through`");
}

#[test]
fn proofs_of_something_else_are_refused() {
    let bench = Bench::of(&Forger::new());
    let forked = "the end was cut off, or the chain was forked";
    let foreign_path = Export::make().closed_with_path_of_other();
    bench.rejects(&foreign_path, "does not name entry 10", forked);
    let no_path = Export::make().closed_with(|_, closing| closing.path.clear());
    bench.rejects(&no_path, "does not name entry 10", forked);
    let rising = Export::make().closed_with(|_, closing| closing.path.push(closing.path[0]));
    bench.rejects(&rising, "does not name entry 10", "the path in the map is malformed");

    let of_another =
        Export::make().closed_with(|forger, closing| closing.newest = forger.prove(9, &forger.checkpoint()));
    bench.rejects(&of_another, "the proof is of entry 9", "has the proof of entry 9");
    let one_more = Export::make().closed_with(|_, closing| {
        closing.newest = closing.newest.replacen("\n\n", &format!("\n{}\n\n", leaf_hash(b"")), 1);
    });
    bench.rejects(&one_more, "entry 10 is not in the tree", "entry 10 is not in the tree");
    let one_less = Export::make().closed_with(|_, closing| {
        let (head, checkpoint) = closing.newest.split_once("\n\n").unwrap();
        closing.newest = format!("{}\n\n{checkpoint}", head.rsplit_once('\n').unwrap().0);
    });
    bench.rejects(&one_less, "entry 10 is not in the tree", "entry 10 is not in the tree");
    let endless = Export::make().closed_with(|_, closing| {
        closing.newest = closing.newest.replacen(
            "\n\n",
            &("\n".to_owned() + &format!("{}\n", leaf_hash(b"")).repeat(100) + "\n"),
            1,
        );
    });
    bench.rejects(&endless, "more hashes than any tree is deep", "more hashes than any tree is deep");
    for index in ["010", "+10", "1e1", "10 "] {
        let spelled = Export::make().closed_with(|_, closing| {
            closing.newest = closing.newest.replacen("index 10", &format!("index {index}"), 1);
        });
        bench.rejects(&spelled, "an index that is no number", "no number in its one spelling");
    }
}

#[test]
fn a_map_that_is_none_of_this_tenant_or_moment_is_refused() {
    let bench = Bench::of(&Forger::new());
    // An entry of the tenant's own that looks like the map.
    let mut export = Export::make();
    let map = export.forger.map();
    let payload = format!(r#"{{"details":{{"size":12,"root":"{}"}}}}"#, map.root());
    let own = export.forger.append(export.other, "log.heads_committed", &payload);
    let lines = export.closed_with(|forger, closing| {
        closing.map.entry = own.entry.clone();
        closing.map.salt = Some(data_encoding::BASE64.encode(&own.salt));
        closing.map.payload = Some(payload.clone());
        closing.map.proof = Some(forger.prove(own.seq, &forger.checkpoint()));
        closing.path = map.find(Forger::tenant(1)).unwrap().1;
    });
    bench.rejects(&lines, "it is not the vault's own entry", "does not commit the map");
    // A map that says it was made of more entries than there were.
    let mut export = Export::make();
    let map = export.forger.map();
    let committed = export.forger.commit_map(99, &map.root());
    let lines = export.closed_with(|forger, closing| {
        closing.map.entry = committed.entry.clone();
        closing.map.salt = Some(data_encoding::BASE64.encode(&committed.salt));
        closing.map.payload = Some(committed.payload.clone());
        closing.map.proof = Some(forger.prove(committed.seq, &forger.checkpoint()));
        closing.path = map.find(Forger::tenant(1)).unwrap().1;
    });
    bench.rejects(
        &lines,
        "it claims to cover entries that come after it",
        "claims to cover entries that come after it",
    );
    // One that was made of fewer entries than the newest one's number.
    let mut export = Export::make();
    let map = export.forger.map();
    let committed = export.forger.commit_map(3, &map.root());
    let lines = export.closed_with(|forger, closing| {
        closing.map.entry = committed.entry.clone();
        closing.map.salt = Some(data_encoding::BASE64.encode(&committed.salt));
        closing.map.payload = Some(committed.payload.clone());
        closing.map.proof = Some(forger.prove(committed.seq, &forger.checkpoint()));
        closing.path = map.find(Forger::tenant(1)).unwrap().1;
    });
    bench.rejects(&lines, "does not name entry 10", "entry 10 is not the tenant's newest");
    let erased = Export::make().closed_with(|_, closing| (closing.map.salt, closing.map.payload) = (None, None));
    bench.rejects(&erased, "its payload, the map's root, is missing", "does not commit the map");
    let unproven = Export::make().closed_with(|_, closing| closing.map.proof = None);
    bench.rejects(&unproven, "the map has no proof", "has no proof");
    // A genuine map, under an older checkpoint than the newest entry's proof.
    let mut export = Export::make();
    let older = export.close();
    let lines = export.closed_with(|_, closing| closing.map = older.map.clone());
    bench.rejects(&lines, "it is proven under another checkpoint", "under the same checkpoint");
}

#[test]
fn a_checkpoint_that_nobody_trusted_signed_is_refused() {
    let bench = Bench::of(&Forger::new());
    let signed_by = |key: &NoteKey, origin: &str| {
        Export::make().closed_with(|forger, closing| {
            let text = checkpoint_of(forger, origin);
            closing.newest = forger.prove(10, &key.note(&text));
            closing.map.proof = Some(forger.prove(12, &key.note(&text)));
        })
    };
    let origin = Forger::new().origin;
    let unsigned = "no verifiable signatures";
    bench.rejects(&signed_by(&NoteKey::of_log(&origin, 2), &origin), unsigned, unsigned);
    bench.rejects(&signed_by(&NoteKey::of_log("leasehold/other", 1), "leasehold/other"), unsigned, unsigned);
    // The true key signs in another log's name.
    let other = signed_by(&NoteKey::of_log(&origin, 1), "leasehold/other");
    bench.rejects(&other, "is of the log leasehold/other", "is not of leasehold/");
    let mut export = Export::make();
    let mut lines = export.lines();
    lines[0] = lines[0].replace(&origin, "leasehold/other");
    bench.rejects(&lines, "the export is of the log leasehold/other", "not an export of");
    // A later key that nobody introduced, one that introduced itself, and one that a trusted key introduced.
    let (first, next) = (NoteKey::of_log(&origin, 1), NoteKey::of_log(&origin, 2));
    let text = leasehold::evidence::introduction_text(&origin, &next.public());
    let introduced_by = |lines: String| {
        Export::make().closed_with(|forger, closing| {
            let checkpoint = checkpoint_of(forger, &origin);
            closing.newest = forger.prove(10, &next.note(&checkpoint));
            closing.map.proof = Some(forger.prove(12, &next.note(&checkpoint)));
            closing.introductions = vec![format!("{text}\n{lines}")];
        })
    };
    bench.accepts(&introduced_by(first.line(&text) + &next.line(&text)));
    bench.rejects(&introduced_by(next.line(&text)), unsigned, unsigned);
    bench.rejects(&introduced_by(first.line(&text)), "the new key itself", "not signed by the key that it introduces");
    let forged = first.line("another text\n") + &next.line(&text);
    bench.rejects(&introduced_by(forged), "invalid signature", "invalid signature");
    // A checkpoint with an empty line among its extensions, and one whose size has another spelling.
    for (alter, flaw, go) in [
        (
            &(|text: String| format!("{text}\nmore\n")) as &dyn Fn(String) -> String,
            "it is not a c2sp.org/tlog-checkpoint",
            "malformed",
        ),
        (
            &|text: String| text.replacen("\n13\n", "\n+13\n", 1),
            "it is not a c2sp.org/tlog-checkpoint",
            "no number in its one spelling",
        ),
        (
            &|text: String| text.replacen("\n13\n", "\n013\n", 1),
            "it is not a c2sp.org/tlog-checkpoint",
            "no number in its one spelling",
        ),
    ] {
        let lines = Export::make().closed_with(|forger, closing| {
            let note = forger.key.note(&alter(checkpoint_of(forger, &origin)));
            closing.newest = forger.prove(10, &note);
            closing.map.proof = Some(forger.prove(12, &note));
        });
        bench.rejects(&lines, flaw, go);
    }
}

fn checkpoint_of(forger: &Forger, origin: &str) -> String {
    leasehold::evidence::checkpoint_text(
        origin,
        forger.leaves.len() as u64,
        &leasehold::merkle::root_of(&forger.leaves),
    )
}

#[test]
fn a_log_that_was_shortened_or_rewritten_does_not_continue_an_older_checkpoint() {
    let mut export = Export::make();
    let bench = Bench::of(&export.forger);
    let older = export.forger.checkpoint();
    let size = export.forger.leaves.len() as u64;
    export.used(&payload_of_use(50));
    let unasked = export.lines().join("\n");
    bench.rejects_text(&unasked, Some(&older), "the file has no proof of it", "has no proof that the log continues");
    let closing = export.forger.close(export.tenant, Some(size));
    let lines = export.lines_with(closing_line(&closing));
    assert_eq!(bench.verdict(lines.join("\n").as_bytes(), Some(&older)), None);
    bench.auditor.write("export.jsonl", &lines.join("\n"));
    bench.auditor.write("older", &older);
    bench.auditor.accepts("export", &["export.jsonl", "older"]);

    // The same size, another root: two logs under one key.
    let text = leasehold::evidence::checkpoint_text(&export.forger.origin, size, &leaf_hash(b"another log"));
    let other_root = export.forger.key.note(&text);
    let not = "does not continue the older checkpoint";
    bench.rejects_text(&lines.join("\n"), Some(&other_root), "is not the beginning of this log", not);
    let later = {
        export.used(&payload_of_use(51));
        export.forger.checkpoint()
    };
    bench.rejects_text(&lines.join("\n"), Some(&later), "it was shortened", "was shortened");
    // Rewritten from an entry before the older checkpoint on.
    let mut rewritten = Export::make();
    rewritten.forger.leaves[3] = leaf_hash(b"rewritten");
    rewritten.used(&payload_of_use(50));
    let closing = rewritten.forger.close(rewritten.tenant, Some(size));
    let lines = rewritten.lines_with(closing_line(&closing));
    assert_eq!(bench.verdict(lines.join("\n").as_bytes(), None), None, "by itself it is whole");
    bench.rejects_text(&lines.join("\n"), Some(&older), "is not the beginning of this log", not);
    // An older checkpoint that another log's key signed is no measure.
    let strange = NoteKey::of_log(&rewritten.forger.origin, 9).note(&text);
    let refused = ExportVerifier::new(bench.keys.clone(), Some(&strange)).err().unwrap();
    assert!(matches!(refused, Flaw::Signature { .. }), "{refused}");
}

#[test]
fn what_has_two_spellings_is_refused() {
    // Signed by the operator as it stands: only the spelling is wrong.
    let entry = |otherwise: &dyn Fn(String) -> String| {
        let mut export = Export::make();
        let written = export.forger.append_as(export.tenant, "gateway.admitted", &payload_of_use(9), otherwise);
        export.entries.push(written);
        export.lines()
    };
    let bench = Bench::of(&Forger::new());
    bench.accepts(&entry(&|entry| entry));
    let replaced = |from: &'static str, to: &'static str| {
        move |entry: String| {
            assert!(entry.contains(from), "{entry}");
            entry.replacen(from, to, 1)
        }
    };
    for (from, to) in [
        (r#""v":1,"#, r#""v":1, "#),
        (r#""v":1,"#, r#""v":01,"#),
        (r#""v":1,"#, ""),
        (r#""seq":12"#, r#""seq":12.0"#),
        (r#""seq":12"#, r#""seq":012"#),
        (r#""seq":12"#, r#""seq":1.2e1"#),
        (r#""seq":12"#, r#""seq":"12""#),
        (r#""seq":12"#, r#""seq":12,"seq":12"#),
        (r#""seq":12"#, r#""Seq":12"#),
        (r#""seq":12"#, r#""seq":-12"#),
        (r#""tenant_seq":6"#, r#""tenant_seq":6,"more":{}"#),
        ("gateway.admitted", "gateway.\\u0061dmitted"),
        ("gateway.admitted", "Gateway.admitted"),
        ("gateway.admitted", ""),
        ("-7000-", "-7000-8"),
        ("0190a1b2", "0190A1B2"),
        (".012000Z", ".012Z"),
        (".012000Z", ".012000z"),
        (".012000Z", ".012000+00:00"),
        ("T08:00:00.012", "T08:00:60.012"),
    ] {
        bench.rejects(&entry(&replaced(from, to)), SPELLING, SPELLING);
    }
    bench.rejects(&entry(&replaced(r#""v":1"#, r#""v":2"#)), "use a newer leasehold", SPELLING);

    let payload = |payload: &str| {
        let mut export = Export::make();
        export.used(payload);
        export.lines()
    };
    let twice = "stands twice in one object";
    bench.rejects(&payload(r#"{"outcome":"refused","outcome":"allowed"}"#), twice, twice);
    bench.rejects(&payload(r#"{"details":[{"a":1,"\u0061":2}]}"#), twice, twice);
    // A line that says `payload` twice: who reads it as JSON takes the last.
    bench.rejects(
        &payload(r#"{"outcome":"refused"},"payload":{"outcome":"allowed"}"#),
        "trailing characters",
        "goes on behind",
    );
    bench.rejects(&payload(r#"["not an object"]"#), "invalid type", "not an object");
    bench.rejects(&payload("1"), "invalid type", "not an object");
    bench.rejects(&payload(r#"{"number":01}"#), "the payload of entry 12", "a payload");
    let deep = format!(r#"{}1{}"#, r#"{"a":"#.repeat(20_000), "}".repeat(20_000));
    bench.rejects(&payload(&deep), "recursion limit exceeded", "nests too deep");
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    bench.rejects(&payload(&deep), "recursion limit exceeded", "nests too deep");

    let mut export = Export::make();
    let lines = export.lines();
    let altered = |line: usize, from: &str, to: &str| {
        let mut altered = lines.clone();
        assert!(altered[line].contains(from), "{}", altered[line]);
        altered[line] = altered[line].replacen(from, to, 1);
        altered
    };
    for (from, to) in [
        (r#""entries":6"#, r#""entries":6.0"#),
        (r#""entries":6"#, r#""entries":6e0"#),
        (r#""entries":6"#, r#""entries":06"#),
        (r#""entries":6"#, r#""entries":6,"entries":6"#),
        (r#""entries":6"#, r#""Entries":6"#),
        (r#""entries":6"#, r#""entries":6,"more":1"#),
        (r#"{"leasehold_export":1"#, r#"{"leasehold_export":2"#),
        (r#""tenant":"0190a1b2"#, r#""tenant":"0190A1B2"#),
        (r#","#, r#", "#),
    ] {
        let text = altered(0, from, to).join("\n");
        assert!(matches!(bench.verdict(text.as_bytes(), None), Some(Flaw::Form { line: 1, .. })), "{to}");
        bench.auditor.write("opening", &text);
        assert!(bench.auditor.verdict("export", &["opening"]).is_some(), "{to}");
    }
    for (from, to) in [
        (r#""bit":"#, r#""bit":0"#),
        (r#","consistency""#, r#","path":[],"consistency""#),
        (r#","consistency""#, r#","more":1,"consistency""#),
        (r#","consistency":null"#, ""),
        (r#","introductions""#, r#", "introductions""#),
        ("tlog-proof", "tlog\\u002dproof"),
        (r#"{"newest""#, r#"{"Newest""#),
    ] {
        let text = altered(7, from, to).join("\n");
        assert!(matches!(bench.verdict(text.as_bytes(), None), Some(Flaw::Form { line: 8, .. })), "{to}");
        bench.auditor.write("closing", &text);
        assert!(bench.auditor.verdict("export", &["closing"]).is_some(), "{to}");
    }
}

#[test]
fn entries_that_stand_before_those_they_continue_are_refused() {
    let bench = Bench::of(&Forger::new());
    let mut export = Export::make();
    let at = |entry: String| entry.replace("T08:00:00.012000Z", "T08:00:00.002000Z");
    let backwards = export.forger.append_as(export.tenant, "gateway.admitted", &payload_of_use(9), at);
    export.entries.push(backwards);
    bench.rejects(&export.lines(), "it stands before the entry that it continues", "stands out of order");
    let mut export = Export::make();
    let seq = |entry: String| entry.replace(r#""seq":12"#, r#""seq":3"#);
    let backwards = export.forger.append_as(export.tenant, "gateway.admitted", &payload_of_use(9), seq);
    export.entries.push(backwards);
    bench.rejects(&export.lines(), "it stands before the entry that it continues", "stands out of order");
    // A chain whose first entry continues one that is not shown.
    let mut export = Export::make();
    let hidden = leaf_hash(b"hidden").to_string();
    let tenant = Forger::tenant(3);
    let prev = |entry: String| entry.replace(&Hash::from_bytes([0; 32]).to_string(), &hidden);
    let first = export.forger.append_as(tenant, "gateway.admitted", &payload_of_use(1), prev);
    (export.tenant, export.entries) = (tenant, vec![first]);
    bench.rejects(&export.lines(), "the first entry of a chain names one before it", CHAIN);
    // No entry at all.
    let lines = [export.forger.opening(tenant, 0), export.forger.closing(tenant)];
    bench.rejects(&lines, "it holds no entry", "holds no entry");
}

#[test]
fn a_witness_that_is_demanded_has_to_have_co_signed() {
    let (witness, other) = (NoteKey::of_witness("witness.example/w1", 5), NoteKey::of_witness("witness.example/w1", 6));
    let cosigned = |line: &dyn Fn(&str) -> String| {
        Export::make().closed_with(|forger, closing| {
            let text = checkpoint_of(forger, &forger.origin);
            let note = forger.key.note(&text) + &line(&text);
            closing.newest = forger.prove(10, &note);
            closing.map.proof = Some(forger.prove(12, &note));
        })
    };
    let mut bench = Bench::of(&Forger::new());
    let honest = cosigned(&|text| witness.line(text));
    // Who does not ask for it is not bothered by it.
    bench.accepts(&honest);
    bench.accepts(&cosigned(&|text| other.line(text)));
    bench.keys = bench.keys.clone().with_witness(WitnessKey::parse(&witness.public()).unwrap());
    bench.auditor.demand(&witness.public());
    bench.accepts(&honest);
    let missing = "not co-signed by the witness witness.example/w1";
    bench.rejects(&cosigned(&|_| String::new()), missing, missing);
    bench.rejects(&cosigned(&|text| other.line(text)), missing, missing);
    bench.rejects(&cosigned(&|_| witness.line("another text\n")), missing, missing);
    // Two are demanded, one is there.
    bench.keys = bench.keys.clone().with_witness(WitnessKey::parse(&other.public()).unwrap());
    bench.auditor.demand(&format!("{}\n{}", witness.public(), other.public()));
    bench.rejects(&honest, missing, missing);
    bench.accepts(&cosigned(&|text| witness.line(text) + &other.line(text)));
}

impl Export {
    fn closed_with_path_of_other(mut self) -> Vec<String> {
        let map = self.forger.map();
        let other = self.other;
        self.closed_with(|_, closing| closing.path = map.find(other).unwrap().1)
    }
}

#[test]
fn a_receipt_that_can_be_read_in_two_ways_is_refused() {
    let (tenant, mut forger) = (Forger::tenant(1), Forger::new());
    let written = forger.append(tenant, "gateway.admitted", &payload_of_use(1));
    forger.append(tenant, "gateway.admitted", &payload_of_use(2));
    let (bench, receipt) = (Bench::of(&forger), forger.receipt(&written));
    let verdict = |text: &str| {
        bench.auditor.write("receipt", text);
        let ours = Receipt::parse(text).and_then(|receipt| receipt.check(&bench.keys).map(drop)).err();
        (ours.map(|flaw| flaw.to_string()), bench.auditor.verdict("receipt", &["receipt"]))
    };
    assert_eq!(verdict(&receipt), (None, None));
    assert_eq!(verdict(&format!(r#"{{"answer":1,"receipt": {receipt}}}"#)), (None, None));
    let twice = format!(r#"{{"receipt":{receipt},"receipt":{receipt}}}"#);
    let more = receipt.replacen(r#""origin""#, r#""more":1,"origin""#, 1);
    let doubled = receipt.replacen(r#""origin""#, r#""entries":[],"origin""#, 1);
    let empty = format!(r#"{{"origin":"{}","entries":[],"introductions":[]}}"#, forger.origin);
    let deep = format!(r#"{{"receipt":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let seq = receipt.replacen(r#"\"seq\":0"#, r#"\"seq\":1"#, 1);
    let spaced = receipt.replacen(r#"{\"v\":1"#, r#"{ \"v\":1"#, 1);
    for ill in [&*twice, &more, &doubled, &empty, &deep, &seq, &spaced, "null", "[]", "", r#"{"receipt":null}"#] {
        let (ours, go) = verdict(ill);
        assert!(ours.is_some() && go.is_some(), "{ours:?} {go:?} {ill:.200}");
    }
}

#[test]
fn a_file_of_gaps_and_erasures_is_read_in_one_pass() {
    let size: u64 = std::env::var("LEASEHOLD_EXPORT_GAPS").map_or(4_000, |size| size.parse().unwrap());
    let (tenant, mut forger) = (Forger::tenant(1), Forger::new());
    let mut lines = Vec::new();
    for number in 0..size {
        let line = match number % 4 {
            0 | 2 => forger.append(tenant, "gateway.admitted", &payload_of_use(number)).erased_line(),
            1 => forger.append(tenant, "gateway.admitted", &payload_of_use(number)).line(),
            _ => {
                let payload = format!(r#"{{"details":{{"from":{},"through":{}}}}}"#, number - 3, number - 3);
                forger.append(tenant, "log.payloads_erased", &payload).line()
            }
        };
        lines.push(line);
    }
    let payload = format!(r#"{{"details":{{"from":0,"through":{}}}}}"#, size - 1);
    lines.push(forger.append(tenant, "log.payloads_erased", &payload).line());
    lines.insert(0, forger.opening(tenant, size + 1));
    lines.push(forger.closing(tenant));
    Bench::of(&forger).accepts(&lines);
}
