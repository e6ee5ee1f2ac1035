//! Telegram's answers after its documentation, and texts that are hard to cut.

use proptest::prelude::*;

use super::*;

#[test]
fn answers_are_told_apart_by_code_and_parameters() {
    let other = |status, said: &str| Err(Refusal::Other { status, said: said.into() });
    let pause = |seconds| Err(Refusal::TooMany(Duration::from_secs(seconds)));
    for (status, body, expected) in [
        (200, r#"{"ok":true,"result":{"message_id":7}}"#, Ok(())),
        (401, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#, Err(Refusal::Revoked)),
        (404, r#"{"ok":false,"error_code":404,"description":"Not Found"}"#, Err(Refusal::Revoked)),
        (
            400,
            r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
            Err(Refusal::NoChat("Bad Request: chat not found".into())),
        ),
        (
            403,
            r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#,
            Err(Refusal::Blocked("Forbidden: bot was blocked by the user".into())),
        ),
        (
            400,
            r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded","parameters":{"migrate_to_chat_id":-1001234567890}}"#,
            Err(Refusal::Moved(-1_001_234_567_890)),
        ),
        (
            400,
            r#"{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities"}"#,
            Err(Refusal::Bad("Bad Request: can't parse entities".into())),
        ),
        (429, r#"{"ok":false,"error_code":429,"parameters":{"retry_after":14}}"#, pause(14)),
        (429, r#"{"ok":false,"error_code":429,"parameters":{"retry_after":99999999}}"#, pause(86_400)),
        (429, r#"{"ok":false,"error_code":429,"parameters":{"retry_after":-5}}"#, pause(60)),
        (429, "<html>slow down</html>", pause(60)),
        // Some proxy's page says nothing about the token, nor about delivery.
        (401, "<html>who are you</html>", other(401, "nothing readable")),
        (404, "", other(404, "nothing readable")),
        (403, "{}", other(403, "nothing readable")),
        (200, "<html>welcome to the hotel</html>", other(200, "nothing readable")),
        (200, r#"{"ok":"true"}"#, other(200, "nothing readable")),
        (200, r#"{"ok":false}"#, other(200, "nothing readable")),
        (502, r#"{"ok":false,"error_code":502,"description":"Bad Gateway"}"#, other(502, "Bad Gateway")),
        (500, r#"{"ok":true}"#, other(500, "nothing readable")),
        (302, "", other(302, "nothing readable")),
        (200, r#"{"ok":false,"error_code":429,"parameters":{"retry_after":3}}"#, pause(3)),
        (
            500,
            "{\"ok\":false,\"error_code\":500,\"description\":\"a\\u001b[2Jb\\u202ec\"}",
            other(500, "a [2Jb c"),
        ),
    ] {
        assert_eq!(read(status, body.as_bytes()), expected, "{status} {body}");
    }
}

#[test]
fn a_message_is_html_only_where_it_says_so() {
    let body: Value = serde_json::from_str(&message("-100123", "<b>\"a\"</b>\n币", Form::Html)).unwrap();
    let expected = json!({"chat_id": "-100123", "text": "<b>\"a\"</b>\n币", "parse_mode": "HTML", "link_preview_options": {"is_disabled": true}});
    assert_eq!(body, expected);
    let body: Value = serde_json::from_str(&message("@me", "x", Form::Plain)).unwrap();
    assert_eq!(body.get("parse_mode"), None);
}

#[test]
fn a_document_is_one_part_with_a_name_that_stays_in_its_header() {
    let (kind, body) = document("42", "re\"p\r\nort/../周.html", b"<p>--rebal</p>\r\n", "a week");
    assert_eq!(kind, "multipart/form-data; boundary=rebal-document-0000000000000000");
    let expected = "--rebal-document-0000000000000000\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n42\r\n\
        --rebal-document-0000000000000000\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\na week\r\n\
        --rebal-document-0000000000000000\r\nContent-Disposition: form-data; name=\"document\"; filename=\"re_p__ort_.._周.html\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n<p>--rebal</p>\r\n\r\n--rebal-document-0000000000000000--\r\n";
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    let (kind, _) = document("42", "", b"rebal-document-0000000000000000", "rebal-document-0000000000000001");
    assert!(kind.ends_with("boundary=rebal-document-0000000000000002"), "{kind}");
    let (_, body) = document("42", "", b"", &"😀".repeat(600));
    assert_eq!(String::from_utf8(body).unwrap().matches('😀').count(), 512);
}

#[test]
fn texts_are_cut_at_line_ends_and_never_inside_anything() {
    let cut = |text: &str, most| split(text, Form::Html, most);
    for (text, most, expected) in [
        ("", 10, vec![]),
        ("0123456789", 10, vec!["0123456789"]),
        ("01234567890", 10, vec!["0123456789", "0"]),
        ("one\ntwo\nthree", 10, vec!["one\ntwo", "three"]),
        ("one\ntwo\nthree", 13, vec!["one\ntwo\nthree"]),
        ("\n\nabcdefgh\n\nij", 10, vec!["\n\nabcdefgh", "\nij"]),
        ("a\n\n\n\n", 3, vec!["a\n\n"]),
        // 6 of 10: the entity is one thing.
        ("123456&amp;7", 10, vec!["123456", "&amp;7"]),
        ("12345&amp;7", 10, vec!["12345&amp;", "7"]),
        // An emoji counts twice and is never halved.
        ("12345678😀9", 10, vec!["12345678😀", "9"]),
        ("123456789😀", 10, vec!["123456789", "😀"]),
        ("<b>abcdefgh</b>", 12, vec!["<b>abcde</b>", "<b>fgh</b>"]),
        ("<b>ab\ncd</b>ef", 10, vec!["<b>ab</b>", "<b>cd</b>e", "f"]),
        ("<b><i>abcd</i></b>", 16, vec!["<b><i>ab</i></b>", "<b><i>cd</i></b>"]),
    ] {
        assert_eq!(cut(text, most), expected, "{text:?}");
    }
    assert_eq!(split("a<b&amp;c", Form::Plain, 4), ["a<b&", "amp;", "c"]);
    assert_eq!(
        cut(&"x".repeat(5000), MESSAGE_UNITS).iter().map(String::len).collect::<Vec<_>>(),
        [4096, 904]
    );
    assert_eq!(cut(&"😀".repeat(2049), MESSAGE_UNITS)[1], "😀");
}

#[test]
fn the_plain_words_are_those_of_the_html() {
    assert_eq!(
        plain("<b>HALTED</b>: 1 &lt; 2 &amp;&amp; &quot;x&quot; > y < z"),
        "HALTED: 1 < 2 && \"x\" > y < z"
    );
}

/// Pieces of well-formed HTML.
fn html() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z ]{0,12}",
        Just("&amp;".to_owned()),
        Just("&lt;b&gt;".to_owned()),
        Just("😀".to_owned()),
        Just("币安".to_owned()),
        Just("\n".to_owned()),
    ];
    let inner = proptest::collection::vec(leaf, 0..12).prop_map(|parts| parts.concat());
    let tagged = (prop_oneof![Just("b"), Just("i"), Just("code")], inner.clone())
        .prop_map(|(tag, inner)| format!("<{tag}>{inner}</{tag}>"));
    proptest::collection::vec(prop_oneof![inner, tagged], 0..12).prop_map(|parts| parts.concat())
}

fn balanced(piece: &str) -> bool {
    let (mut open, mut rest) = (Vec::new(), piece);
    while let Some(at) = rest.find('<') {
        let Some(end) = rest[at..].find('>') else { return false };
        let tag = &rest[at + 1..at + end];
        match tag.strip_prefix('/') {
            Some(name) if open.pop() != Some(name) => return false,
            Some(_) => {}
            None => open.push(tag),
        }
        rest = &rest[at + end + 1..];
    }
    // Every ampersand begins one of the entities that went in.
    open.is_empty()
        && piece
            .split('&')
            .skip(1)
            .all(|after| ["amp;", "lt;", "gt;"].iter().any(|name| after.starts_with(name)))
}

proptest! {
    #[test]
    fn every_piece_is_whole_short_enough_and_nothing_is_lost(html in html(), most in 30_usize..80) {
        let pieces = split(&html, Form::Html, most);
        for piece in &pieces {
            prop_assert!(piece.encode_utf16().count() <= most, "{piece:?}");
            prop_assert!(balanced(piece), "{piece:?} of {html:?}");
            prop_assert!(!plain(piece).trim().is_empty());
        }
        let words = |text: &str| plain(text).split_whitespace().collect::<String>();
        prop_assert_eq!(words(&pieces.concat()), words(&html));
    }

    #[test]
    fn no_answer_makes_it_panic(status in 0_u16..700, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(status, &body);
    }
}
