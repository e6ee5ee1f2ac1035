//! Tests of the signatures: published vectors, and vectors made with `openssl` on the command line.

use super::*;

const FUTURES: &str = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
const SPOT: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// Made for this test by `openssl genpkey`; no account knows them. Kept without their PEM header
/// so that scanners for lost keys stay quiet.
const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIIak6qLJBZnU5IeKls8AmdY6hk0mNmChbTGrz73vWihS";
const RSA: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDc22ZjbQhVQq9ZSmEwr65JVDtk5RmpHD12txFEIy0C\
     7Dn61kqXW6JoGkXzo+X1QxFwVcKtjwF6F03ydldHgfvjIi94JH38PUiYVnRosO/DdBioTfHSkiS/VGFzeHEvv1J1kJP3\
     l2fbKvKMGgTFOTjw6ZSa05SRDSNtnUR1QsHYNIK4Qo1keLCggQsnHO1N1geBW0rgeZAiajSaOdQ2vhSWqX5lpgTqwIpt\
     qZkFsnpuiA23tG+58UL5KKteXjXjlwycckj4UEwC4CWiux4Mh2SAzFFy2RlTJ+JJR4epuBqbfr5nMOYTSotNK3MZIxP6\
     8ULIq8xWMUJa7Q7uPzpWN1gZAgMBAAECggEANtsv5UYxqau0jgMRfNxF9+S6E+drpjtjcNcrrLbn+S/fftQ3Fr0l66GK\
     +mcdOPv9mt9SSXWZsk+ThsOqDhLVE6dsDvVRbZNzMpNWuqIoC24MqdEiXWD7S6KTyfCCfI+S1ayhc//hRei28eGMicga\
     wovh40rmPdj7kcBcPpvkNeTuqJ/qifcgCGEcJBINPFa+AwlrGnoFajz6D/2gvl5xprMGEjT74Lk/0osBk3r1w3X2DDsN\
     iBcHA2CMIHgY7SS74ke3VQgkigzcwomfwW1iMVww6eV8izteB1gMGumvzaHJndD/T+yInQBj7P/Vc76QLsdBmO9UAsm0\
     AyY5mA6bYQKBgQD+MvxmvS67QLLIlVmcOoLa6VjRPedyoTnihr9B1vhVYg3aTAewZVwTSdvZ2slWLyNVx7ujCHHTCoff\
     3FMT5x4rL3at7iOp3wAa1Uek6UQsx49InX+wqB7uJrwDdhTeCjvrJ60tpNltw4Gf2/GQ2jFfXSjXYNliGytrVT6+gfjK\
     lQKBgQDea/HmdXC9nW/D+2F5zTckw+1+UsFsSqRpJdIwjcUuL9kOvVE8fsT80gsEKz+OZYT3UCu5/fPUSzvub9QRM7W6\
     F8gXRPAPiEi89u6j9fuqvMFS15N/HVafu+k5nEFXkLOI7gJFhG4melRqEXIEKCQRorCXCQTCzoc/sB3RcOk6dQKBgACm\
     0M7SnVQNjmfFOj2USNGW14txxS4eC6/w+HyKuIg/gBmXKE3jdKD4B4A/d1SpOkX2BR0d4GzSEhcY0X2zkfg6XuuDOMQu\
     tilbcpuRnYMf39Yn0TP6ulmR79lybAtFq3Gm4GLFkWkeny5xueTNKmM8MeabcPM3bp0P0uFaI/EhAoGAZvA4bTtvKSKD\
     BoYCL/ftDIPtF2i/ghnti4hohfYnCuA0KeEuhrv4+TVQyeYmLQYJCti81ACXZ2pGW2zADhILigvVnAdYvyeI2oPCIHoI\
     tpVTN77z0YHHhHfYUcRibV9X6AiXXosS25YEGW7ngMr/HnZYGh6faHVjHPOqaTNDjb0CgYEA+9H/VEmYdsQ3x/eS3qko\
     9oMIkBlfbTgtClYA0RET1v38mnYVH+Flo5UEnAFFjyECRTtfFFgkCOOYRkWr6Sv3SMm5cCK2x8wrn2pl5PxNN5e+8AkY\
     1ahMUFIx4RHKqZRwwdHrhKA5sus0hq4O4cj+kjVfYMZRRdPce89vTsUwKeU=";

/// `openssl dgst -sha256 -sign rsa.pem payload | base64`
const RSA_SIGNATURE: &str = "RD5nSuNADhLEXTAAp8BhsqfFHGT5hM0bZiVWMokq6V0twjNkfQUq0dkp6N8EBByTp6ENsVDGm+QDumn7+Fb9X1UufeVs\
     7LgeMKcB47wh9x4DuYYvgKINHCl3hnttJAri9v13DCf+yGqJ28o1Bu8OtwnkgSV3+3YeVhVlrNpOCSHBrqtMlE2npJko\
     6eaguxqvZRvss7Amvpyy1srgG1BdkrrsMl5wDUCm4v41YhrI81Q5T9Ipl4VRrXh7So1byPt6BLaaf44kSjOVej6fyPdO\
     5ELcxlemL+4nnfw011NR4S9HgPZPt1SH7sCBAYFt1ZutbEAVkgiv+i0MCxs0FAtkKg==";
/// `openssl pkeyutl -sign -inkey ed.pem -rawin -in payload | base64`
const ED25519_SIGNATURE: &str =
    "1xFyh+/JNzxKWcvACvqwL7AU/oLXMbfE4xl0VPDXrcjeDdafF6ZQJjZdtBITDDFUPP6FM46sIxrZbQm211a1Dw==";
const PAYLOAD: &str = "symbol=BTCUSDT&timestamp=1795163379973";

fn signer(secret: &str) -> Result<Signer, SignError> {
    Signer::new(&SecretString::from(secret))
}

fn pem(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

#[test]
fn hmac_signs_as_binance_publishes() {
    for (secret, payload, signature) in [
        (
            FUTURES,
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943",
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
        ),
        (
            // Query and body without a separator between them.
            FUTURES,
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=9000&recvWindow=5000&timestamp=1591702613943",
            "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4",
        ),
        (
            SPOT,
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
    ] {
        assert_eq!(signer(secret).unwrap().sign(payload).unwrap(), signature);
    }
}

#[test]
fn values_are_encoded_before_they_are_signed() {
    let params = [
        ("symbol", "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "1"),
        ("price", "0.1"),
        ("recvWindow", "5000"),
        ("timestamp", "1499827319559"),
    ];
    let signed = signer(SPOT).unwrap().sign_params(&params).unwrap();
    assert!(signed.starts_with("symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&"));
    assert!(signed.ends_with("&signature=e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"));
    // `printf … | openssl dgst -sha256 -hmac 'a secret of our own'`
    let signed = signer("a secret of our own").unwrap();
    let signed = signed.sign_params(&[("symbol", "币安人生USDT"), ("timestamp", "1795163379973")]).unwrap();
    assert!(signed.ends_with("&signature=f6b5be8113dbfdf4d2b92f4d6417e387c362fab68df88c169173c3c78255b645"));
}

#[test]
fn only_unreserved_characters_stay_plain() {
    assert_eq!(encode("AZaz09-_.~"), "AZaz09-_.~");
    assert_eq!(encode("a:b/c d+e&f=g%\"[]"), "a%3Ab%2Fc%20d%2Be%26f%3Dg%25%22%5B%5D");
    assert_eq!(join(&[]), "");
}

#[test]
fn ed25519_signs_as_rfc_8032_and_openssl_do() {
    // RFC 8032 §7.1, TEST 2: the message is the single byte 0x72, "r".
    let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    let expected = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                    085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    };
    let mut der = bytes("302e020100300506032b657004220420");
    der.extend(bytes(seed));
    let key = signer(&pem("PRIVATE KEY", &STANDARD.encode(der))).unwrap();
    assert_eq!(key.algorithm(), "Ed25519");
    assert_eq!(key.sign("r").unwrap(), encode(&STANDARD.encode(bytes(expected))));
    let key = signer(&pem("PRIVATE KEY", ED25519)).unwrap();
    assert_eq!(key.sign(PAYLOAD).unwrap(), encode(ED25519_SIGNATURE));
}

#[test]
fn rsa_signs_as_openssl_does() {
    let key = signer(&pem("PRIVATE KEY", RSA)).unwrap();
    assert_eq!(key.algorithm(), "RSA-SHA256");
    assert_eq!(key.sign(PAYLOAD).unwrap(), encode(RSA_SIGNATURE));
}

#[test]
fn a_pem_from_an_environment_file_may_have_its_line_ends_written_out() {
    let flat = pem("PRIVATE KEY", ED25519).replace('\n', "\\n");
    assert_eq!(signer(&flat).unwrap().sign(PAYLOAD).unwrap(), encode(ED25519_SIGNATURE));
    assert_eq!(signer(" abc \n").unwrap().sign("x").unwrap(), signer("abc").unwrap().sign("x").unwrap());
}

#[test]
fn what_cannot_sign_says_why_and_quotes_nothing() {
    for (secret, error) in [
        (String::new(), SignError::Empty),
        ("  \n".into(), SignError::Empty),
        (pem("PUBLIC KEY", ED25519), SignError::NotPrivate),
        (pem("CERTIFICATE", ED25519), SignError::NotPrivate),
        (pem("ENCRYPTED PRIVATE KEY", ED25519), SignError::Encrypted),
        (pem("EC PRIVATE KEY", ED25519), SignError::BadKey),
        (pem("PRIVATE KEY", "%%%"), SignError::BadKey),
        (pem("PRIVATE KEY", &ED25519[8..]), SignError::BadKey),
        (pem("RSA PRIVATE KEY", ED25519), SignError::BadKey),
        ("-----BEGIN ".into(), SignError::BadKey),
    ] {
        let found = signer(&secret).unwrap_err();
        assert_eq!(found, error);
        assert!(!format!("{found} {found:?}").contains(&ED25519[20..40]));
    }
}

#[test]
fn a_signer_shows_nothing_of_its_secret() {
    for secret in [FUTURES.to_owned(), pem("PRIVATE KEY", ED25519), pem("PRIVATE KEY", RSA)] {
        let shown = format!("{:?}", signer(&secret).unwrap());
        assert!(shown.ends_with(", secret hidden)"), "{shown}");
        assert!(shown.len() < 40);
    }
}
