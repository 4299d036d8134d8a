// Package storetest holds the promises of package store as tests. Every store
// passes all of them:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return memory.Open() })
//	}
package storetest

import (
	"testing"

	"github.com/capstan-pay/capstan/store"
)

// Run runs every promise that does not outlive the process. Open returns an
// empty store; closing it is the kit's business.
func Run(t *testing.T, open func(*testing.T) store.Store) {
	for _, promise := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"a change is written whole", testWhole},
		{"a failed change takes its batch with it", testAtomic},
		{"a batch that is rolled back leaves nothing", testRollback},
		{"a payment that moved on is a conflict", testVersions},
		{"a payment may change several times in one batch", testSeveral},
		{"a payment can be read at each version", testHistory},
		{"tenants do not see each other", testTenants},
		{"a key is taken once", testKeys},
		{"a key is free after its expiry", testExpiry},
		{"a pending record is resolved once", testResolve},
		{"a record keeps its stamp where instances share the store", testStamps},
		{"records come back as they were", testRecords},
		{"timers fall due in order", testDue},
		{"timers of one kind are found ahead of time", testAgenda},
		{"a timer is done once", testDone},
		{"balances are the sums of postings", testBalances},
		{"wallet balances follow postings", testWallet},
		{"a wallet balance is never negative", testOverdraft},
		{"payers are loaded in the order asked", testPayers},
		{"deposits are posted", testDeposit},
		{"counters are kept", testCounters},
		{"a counter is set only by a batch that has loaded it", testCounterLoaded},
		{"no two batches count from the same value", testCounting},
		{"a payment stands in the listing of its merchant", testListing},
		{"a payment is found by its labels", testLabels},
		{"pages have no gap and no repeat", testPages},
		{"documents are kept", testDocuments},
		{"a document is listed until it is deleted", testDocumentPages},
		{"a text may have any bytes", testTexts},
		{"of several who change a document one succeeds", testDocumentRace},
		{"documents of a change are put with it", testDocumentsOfChange},
		{"what is to be delivered is counted", testBacklog},
		{"what is over is swept", testSweep},
		{"a pending record is swept once it is answered", testSweepPending},
		{"a sweep takes no more than it may", testSweepLimit},
		{"a sweep leaves what has come back", testSweepReplaced},
		{"notices are written with what they tell of", testNotices},
		{"deliveries are given to one at a time", testClaims},
		{"no delivery is given twice", testClaimingTogether},
		{"attempts are recorded once", testAttempts},
		{"ordered deliveries wait for each other", testOrdered},
		{"a delivery can be made again", testRedeliver},
		{"notices are listed", testNoticeList},
		{"notices are swept when all is told", testSweepNotices},
		{"a sealed value is swapped for another", testSealed},
		{"meta values are kept", testMeta},
		{"merchants are kept", testMerchants},
		{"credentials are found", testCredentials},
		{"wallet users and grants are kept", testUsers},
		{"a grant is used once", testUseGrant},
		{"an administrative change and its act are one", testAdminister},
		{"an administrative change that cannot be made leaves nothing", testAdministerRefused},
		{"of administrators at once each knows what came before", testAdministrators},
		{"a payment's trail is all that is kept of it", testTrail},
		{"an audit sees all, in order", testAudit},
		{"an audit stops at the first error", testAuditStops},
		{"an audit is of one moment", testAuditMoment},
		{"readers see what was acknowledged", testReaders},
		{"a cancelled batch does not begin", testCancelled},
	} {
		t.Run(promise.name, func(t *testing.T) {
			s := open(t)
			promise.test(t, s)
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// RunDurable runs every promise, also that what was acknowledged is still
// there after the store was closed and opened again. Open returns an empty
// store and a function that opens it again after it was closed.
func RunDurable(t *testing.T, open func(*testing.T) (s store.Store, reopen func() store.Store)) {
	Run(t, func(t *testing.T) store.Store {
		s, _ := open(t)
		return s
	})
	t.Run("everything outlives the process", func(t *testing.T) {
		s, reopen := open(t)
		testReopen(t, s, reopen)
	})
}
