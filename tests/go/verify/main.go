// Verify checks Leasehold's evidence with Go's own golang.org/x/mod/sumdb, and shares no line with the vault.
//
//	verify receipt KEYS RECEIPT
//	verify consistency KEYS OLDER NEWER PROOF
//	verify export KEYS EXPORT [OLDER]
//
// It prints one line and exits 0 where the evidence holds, 1 where it does not.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("verified")
}

func run(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("usage: verify receipt|consistency|export KEYS FILE...")
	}
	keys, err := readKeys(args[1])
	if err != nil {
		return err
	}
	switch {
	case args[0] == "receipt" && len(args) == 3:
		return verifyReceipt(keys, args[2])
	case args[0] == "consistency" && len(args) == 5:
		return verifyConsistency(keys, args[2], args[3], args[4])
	case args[0] == "export" && (len(args) == 3 || len(args) == 4):
		older := ""
		if len(args) == 4 {
			older = args[3]
		}
		return verifyExport(keys, args[2], older)
	}
	return fmt.Errorf("usage: verify receipt|consistency|export KEYS FILE...")
}
