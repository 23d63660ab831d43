// Command klauspost compresses with klauspost's libraries: klauspost gzip|pgzip LEVEL <plain >gzip
package main

import (
	"io"
	"log"
	"os"
	"strconv"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/pgzip"
)

func main() {
	level, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	var writer io.WriteCloser
	if os.Args[1] == "pgzip" {
		writer, err = pgzip.NewWriterLevel(os.Stdout, level)
	} else {
		writer, err = gzip.NewWriterLevel(os.Stdout, level)
	}
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(writer, os.Stdin); err != nil {
		log.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
}
