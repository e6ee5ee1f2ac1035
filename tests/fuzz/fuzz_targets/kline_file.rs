//! A recorded price file of any bytes, plain or packed: bars in order, or an error with its line.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u8, &[u8])| {
    let (kind, bytes) = data;
    let end = ["csv", "csv.gz", "zip"][usize::from(kind) % 3];
    let folder = std::env::temp_dir().join(format!("rebal-fuzz-klines-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    std::fs::write(folder.join(format!("AUSDT-5m.{end}")), bytes).expect("a file");
    match rebal::archive::klines(&folder, None) {
        Ok(bars) => {
            for bars in bars.values() {
                assert!(bars.windows(2).all(|pair| matches!(pair, [before, after] if before.open_time < after.open_time)));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = rebal::archive::funding(&folder, None);
});
