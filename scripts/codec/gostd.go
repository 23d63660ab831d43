// Command gostd compresses as the standard library of the Go that built it: gostd LEVEL <plain >gzip
package main

import (
	"compress/gzip"
	"io"
	"log"
	"os"
	"strconv"
)

func main() {
	level, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	writer, err := gzip.NewWriterLevel(os.Stdout, level)
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
