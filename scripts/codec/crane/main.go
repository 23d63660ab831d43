// Writes a tar file as go-containerregistry writes a layer, and with it crane and ko: crane-layer FILE
package main

import (
	"io"
	"log"
	"os"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	layer, err := tarball.LayerFromFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	blob, err := layer.Compressed()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(os.Stdout, blob); err != nil {
		log.Fatal(err)
	}
}
