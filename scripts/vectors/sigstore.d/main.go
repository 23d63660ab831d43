// Command judge says what sigstore-go makes of sigstore bundles, by a trusted root in a file and without network.
//
//	judge TRUSTED_ROOT IDENTITY ISSUER DIGEST BUNDLE...
//
// A line for each bundle: "good", or why it is not.
package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

func main() {
	if len(os.Args) < 6 {
		fmt.Fprintln(os.Stderr, "usage: judge TRUSTED_ROOT IDENTITY ISSUER DIGEST BUNDLE...")
		os.Exit(2)
	}
	for _, path := range os.Args[5:] {
		verdict := "good"
		if err := judge(os.Args[1], os.Args[2], os.Args[3], os.Args[4], path); err != nil {
			verdict = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Println(verdict)
	}
}

func judge(trusted, identity, issuer, digest, path string) error {
	material, err := root.NewTrustedRootFromPath(trusted)
	if err != nil {
		return err
	}
	verifier, err := verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1))
	if err != nil {
		return err
	}
	meant, err := verify.NewShortCertificateIdentity(issuer, "", identity, "")
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(digest)
	if err != nil {
		return err
	}
	signed, err := bundle.LoadJSONFromPath(path)
	if err != nil {
		return err
	}
	policy := verify.NewPolicy(verify.WithArtifactDigest("sha256", raw), verify.WithCertificateIdentity(meant))
	_, err = verifier.Verify(signed, policy)
	return err
}
