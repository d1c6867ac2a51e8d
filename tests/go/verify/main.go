// Verify checks Leasehold's evidence with Go's own golang.org/x/mod/sumdb, and shares no line with the vault.
//
//	verify [-witness KEYS] receipt KEYS RECEIPT
//	verify consistency KEYS OLDER NEWER PROOF
//	verify [-witness KEYS] export KEYS EXPORT [OLDER]
//
// It prints one line and exits 0 where the evidence holds, 1 where it does not.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	witnesses := flag.String("witness", "", "a file of witnesses' public keys, each of which has to have co-signed")
	flag.Parse()
	if err := run(flag.Args(), *witnesses); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("verified")
}

func run(args []string, witnesses string) error {
	usage := fmt.Errorf("usage: verify [-witness KEYS] receipt|consistency|export KEYS FILE...")
	if len(args) < 3 {
		return usage
	}
	keys, err := readKeys(args[1], witnesses)
	if err != nil {
		return err
	}
	switch {
	case args[0] == "receipt" && len(args) == 3:
		return verifyReceipt(keys, args[2])
	case args[0] == "consistency" && len(args) == 5:
		return verifyConsistency(keys, args[2], args[3], args[4])
	case args[0] == "export" && (len(args) == 3 || len(args) == 4):
		return verifyExport(keys, args[2], append(args, "")[3])
	}
	return usage
}
