//! A configuration file of any bytes: a configuration, or an error in words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebal::config::{Sources, load};

fuzz_target!(|data: &[u8]| {
    let path = std::env::temp_dir().join(format!("rebal-fuzz-{}.toml", std::process::id()));
    std::fs::write(&path, data).expect("a temporary file");
    let sets: Vec<String> = std::str::from_utf8(data).ok().map(|text| text.lines().take(3).map(str::to_owned).collect()).unwrap_or_default();
    for sets in [&[][..], &sets] {
        let sources = Sources { file: Some(path.clone()), file_required: true, env: std::iter::empty(), sets, base: None };
        if let Err(error) = load(sources) {
            assert!(!error.to_string().is_empty());
        }
    }
});
