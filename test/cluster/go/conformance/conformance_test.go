// Package conformance is Gateway API's own suite, as a program.
package conformance

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

// TestConformance takes its flags from the command line.
func TestConformance(t *testing.T) {
	conformance.RunConformance(t)
}
