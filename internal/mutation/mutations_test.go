package mutation

// mutations are what no change may do unnoticed.
var mutations = []Mutation{
	{
		"a capture does not look at the status", "payment/capture.go",
		[]Change{{"	r.when(p.Status != Authorized, NotCapturable)\n", ""}},
		"./payment", "TestCaptureAmount TestCaptureAtTheDeadline TestPendingCapture TestDeclinedCapture",
	},
	{
		"a hold ends a moment late", "payment/expire.go",
		[]Change{{"!at.Before(p.ExpiresAt)", "at.After(p.ExpiresAt)"}},
		"./payment", "TestExpire TestOver TestCaptureAtTheDeadline",
	},
	{
		"a hold ends before its timer", "payment/timer.go",
		[]Change{{"timers := []Timer{p.timer(DeadlineTimer, p.ExpiresAt, ", "timers := []Timer{p.timer(DeadlineTimer, p.ExpiresAt.Add(-time.Millisecond), "}},
		"./engine", "TestHoldExpiresAtItsDeadlineAndNeverBefore",
	},
	{
		"the whole rest cannot be captured", "payment/capture.go",
		[]Change{{"r.when(amount > r.Limit, AmountTooLarge)", "r.when(amount >= r.Limit, AmountTooLarge)"}},
		"./payment", "TestCaptureAmount",
	},
	{
		"more than the rest can be captured", "payment/capture.go",
		[]Change{{"r.when(amount > r.Limit, AmountTooLarge)", "r.when(amount > r.Limit+1, AmountTooLarge)"}},
		"./payment", "TestCaptureAmount",
	},
	{
		"more than was captured can be refunded", "payment/refund.go",
		[]Change{{"r.when(amount > limit, AmountTooLarge)", "r.when(amount > limit+1, AmountTooLarge)"}},
		"./payment", "TestRefund",
	},
	{
		"a refund does not look at others under way", "payment/payment.go",
		[]Change{{"return p.Captured - p.Refunded - p.InFlight(OpRefund)", "return p.Captured - p.Refunded"}},
		"./payment", "TestPendingRefund",
	},
	{
		"a store does not look at the version", "store/sqlite/commit.go",
		[]Change{{"if at.version != first || (at.version > 0", "if (at.version > 0"}},
		"./store/sqlite", "TestStore/a_payment_that_moved_on_is_a_conflict",
	},
	{
		"the plainest store does not look at the version", "store/memory/batch.go",
		[]Change{{" || len(now.events) != p.Version-len(c.Events) {", " {"}},
		"./store/memory", "TestStore/a_payment_that_moved_on_is_a_conflict",
	},
	{
		"answers come before the commit", "engine/commit.go",
		[]Change{
			{"	return e.commit(ctx, b, changes)\n", "	e.leave(items)\n	return e.commit(ctx, b, changes)\n"},
			{"	e.leave(items)\n	return true\n", "	return true\n"},
		},
		"./engine", "TestNobodyIsAnsweredBeforeTheCommit",
	},
	{
		"it is answered whatever the commit says", "engine/commit.go",
		[]Change{{"	return e.commit(ctx, b, changes)\n", "	_ = e.commit(ctx, b, changes)\n	return nil\n"}},
		"./engine", "TestStoreThatCannotWrite",
	},
	{
		"another instance's record is taken for one's own", "engine/commit.go",
		[]Change{{"(kept.Stamp == left.Stamp || kept.Stamp == 0) &&\n\t\t", ""}},
		"./engine", "TestAnotherInstanceIsAskedTheSame",
	},
	{
		"a key is not kept", "engine/batch.go",
		[]Change{{"	if d.Refusal == nil || kept {\n", "	if kept {\n"}},
		"./engine", "TestRepeatGetsTheFirstOutcome",
	},
	{
		"a store does not keep keys", "store/sqlite/commit.go",
		[]Change{{"		err := runRecord(b.w.summed(stmt.addRecord), r)\n", "		var err error\n"}},
		"./store/sqlite", "TestStore/a_key_is_taken_once",
	},
	{
		"a keyless command is tried again as another", "engine/commit.go",
		[]Change{
			{"		if it.left.Key == (payment.Key{}) {\n", "		if true {\n"},
			{"		if err = e.try(ctx, []*item{it}); err == nil {\n", "		it.Key = e.newKey()\n		if err = e.try(ctx, []*item{it}); err == nil {\n"},
		},
		"./engine", "TestFaultsThatNobodyNotices/unknown,_written",
	},
	{
		"nobody looks before a command is tried again", "engine/commit.go",
		[]Change{{"		if it.left.Key == (payment.Key{}) {\n", "		if true {\n"}},
		"./engine", "TestFaultsThatNobodyNotices/unknown,_written",
	},
	{
		"any record under the key will do", "engine/commit.go",
		[]Change{{"if ok && sameRecord(r, it.left) {", "if _ = r; ok {"}},
		"./engine", "TestEarlierRecordIsNotTakenForTheLostOne",
	},
	{
		"an entry has no counter-entry", "ledger/ledger.go",
		[]Change{{"return Entry{{from, -minor}, {to, minor}}", "return Entry{{to, minor}}"}},
		"./ledger", "TestMove",
	},
	{
		"captured money reaches nobody", "payment/capture.go",
		[]Change{{"	return append(entry, p.credit(0, e.Amount, e.Fee)...)\n", "	return entry\n"}},
		"./payment", "TestCaptureAmount TestProperty",
	},
	{
		"what a capture adds to the hold is not posted", "payment/capture.go",
		[]Change{
			{"{Account: held, Minor: e.Extended - e.Amount - e.Released}", "{Account: held, Minor: -e.Amount - e.Released}"},
			{"{Account: source, Minor: e.Released - e.Extended}", "{Account: source, Minor: e.Released}"},
		},
		"./payment", "TestOverCapture",
	},
	{
		"a final capture keeps the rest", "payment/capture.go",
		[]Change{{"e.Released, e.Ending = rest, EndedByCapture", "e.Ending = EndedByCapture"}},
		"./payment", "TestCaptureAmount",
	},
	{
		"a final capture leaves the hold open", "payment/capture.go",
		[]Change{{"e.Final || rest == 0 {", "rest == 0 {"}},
		"./payment", "TestCaptureAmount",
	},
	{
		"operations of a payment share a name", "payment/command.go",
		[]Change{{`fmt.Sprintf("op_%d_%d", id, operation)`, `fmt.Sprintf("op_%d_%d", id, min(operation, 2))`}},
		"./engine", "TestEachOperationHasItsOwnName",
	},
	{
		"an operation gets a number that is taken", "payment/command.go",
		[]Change{{"return len(d.p.Operations) + 1 }", "return max(1, len(d.p.Operations)) }"}},
		"./payment", "TestCaptureAmount",
	},
	{
		"another request under a key passes for a repeat", "engine/batch.go",
		[]Change{{"if prior.Fingerprint != it.Fingerprint {", "if false {"}},
		"./engine", "TestRepeatGetsTheFirstOutcome TestOneKeyInOneBatch",
	},
	{
		"a pending key passes for final", "engine/engine.go",
		[]Change{{"Pending: r.Pending, Replayed", "Replayed"}},
		"./engine", "TestUnknownOutcomeStaysUnknownUntilTheProcessorTells TestSaleIsPendingUntilItsCaptureIsAnswered",
	},
	{
		"a pending key is free when its time is over", "store/store.go",
		[]Change{{"return !r.Pending && !r.Expires.IsZero()", "return !r.Expires.IsZero()"}},
		"./engine", "TestPendingKeyOutlivesItsTime",
	},
	{
		"any answer completes a key", "engine/batch.go",
		[]Change{{"answered := len(d.Events) > 0 && !it.outcome.Pending", "answered := d.Payment != nil && !it.outcome.Pending"}},
		"./engine", "TestSaleIsPendingUntilItsCaptureIsAnswered TestAnswerThatIsNone",
	},
	{
		"a refusal is kept whatever the dialect says", "engine/batch.go",
		[]Change{{"kept := d.Refusal != nil && it.Keeps != nil && it.Keeps(d.Refusal)", "kept := d.Refusal != nil"}},
		"./engine", "TestRefusalsAreKeptWhereTheDialectSaysSo",
	},
	{
		"a refusal is not kept whatever the dialect says", "engine/batch.go",
		[]Change{{"kept := d.Refusal != nil && it.Keeps != nil && it.Keeps(d.Refusal)", "kept := false"}},
		"./engine", "TestRefusalsAreKeptWhereTheDialectSaysSo",
	},
	{
		"timers stay when they are done", "engine/batch.go",
		[]Change{{"c := &store.Change{Done: it.timers}", "c := &store.Change{}"}},
		"./engine", "TestManyTimersAtOnce",
	},
	{
		"a timer that is gone is done again", "store/sqlite/commit.go",
		[]Change{{"		if b.w.conn.Changes() == 0 {\n			return store.ErrConflict\n		}\n	}\n	for i := range c.Timers {", "	}\n	for i := range c.Timers {"}},
		"./store/sqlite", "TestStore/a_timer_is_done_once",
	},
	{
		"a lost request is sent again unasked", "engine/task.go",
		[]Change{{"if attempt > 1 {", "if false {"}},
		"./engine", "TestUnknownOutcomeStaysUnknownUntilTheProcessorTells",
	},
	{
		"a late answer leaves the hold open", "payment/resolve.go",
		[]Change{{"	d.expireIfDue()\n", ""}},
		"./engine", "TestAnswerAfterTheDeadline",
	},
	{
		"a batch does not see what it has taken from a wallet", "engine/batch.go",
		[]Change{{"		b.spend(d.Entries)\n", ""}},
		"./engine", "TestOneWalletInOneBatch",
	},
	{
		"a bad command fails its neighbours", "engine/commit.go",
		[]Change{{"			if broken := e.alone(ctx, it, err); broken != nil {", "			if it.err = err; errors.Is(err, store.ErrBroken) {"},
			{"				e.broken(broken)\n", "				e.broken(err)\n"}},
		"./engine", "TestBadCommandFailsAlone",
	},
	{
		"a key stays in use", "engine/engine.go",
		[]Change{{"		delete(e.inFlight, it.Key)\n", "		_ = it.Key\n"}},
		"./engine", "TestRepeatGetsTheFirstOutcome",
	},
	{
		"a broken store is written to again", "engine/commit.go",
		[]Change{{"		if errors.Is(err, store.ErrBroken) {\n			return err\n		}\n", ""}, {"	case errors.Is(err, store.ErrBroken):\n		return err\n", ""}},
		"./engine", "TestBrokenStorage",
	},
	{
		"an authorization is sent again", "engine/task.go",
		[]Change{{"		if secret(o.Kind) {\n", "		if false {\n"}},
		"./engine", "TestAuthorizationIsNeverSentAgain/never_arrived",
	},
	{
		"what could not be sealed has failed", "engine/task.go",
		[]Change{{"	if errors.Is(err, processor.ErrSealed) {", "	if err != nil {"}},
		"./engine", "TestAuthorizationIsNeverSentAgain/nobody_can_seal_it",
	},
	{
		"a late answer frees its key at once", "engine/batch.go",
		[]Change{{"			if !waiting.Expires.IsZero() {", "			if false {"}},
		"./engine", "TestAnsweredKeyIsRememberedForItsTime",
	},
	{
		"timers that cannot be done starve others", "engine/timer.go",
		[]Change{{"now, limit+len(failed))", "now, limit)"}, {"until, 1+len(failed))", "until, 1)"}},
		"./engine", "TestTimersThatCannotBeDoneStarveNobody",
	},
	{
		"a deadline is forgotten while an answer is due", "payment/resolve.go",
		[]Change{{"	d.rearm()\n", ""}},
		"./engine", "TestDeadlineThatPassedWhileAnAnswerWasDue",
	},
	{
		"a planned capture is lost when the clock is set back", "engine/batch.go",
		[]Change{{"t.Due = at.Add(rearm)", "t.Due = b.now.Add(rearm)"}},
		"./engine", "TestPlannedCaptureIsPutOffByTheClockToo",
	},
	{
		"a hung processor stops the clock", "engine/timer.go",
		[]Change{{"			*over = true\n", ""}},
		"./engine", "TestAdvanceWhileAProcessorHangs",
	},
	{
		"records are swept while a commit is in doubt", "engine/sweep.go",
		[]Change{{"	case e.settling <- struct{}{}:\n		defer func() { <-e.settling }()\n", "	default:\n"}},
		"./engine", "TestNothingIsSweptWhileACommitIsInDoubt",
	},
	{
		"what is over is swept without grace", "engine/sweep.go",
		[]Change{{"now.Add(-grace)", "now"}},
		"./engine", "TestSweepingChangesNoAnswer",
	},
	{
		"a sweep takes pending records", "store/sqlite/sweep.go",
		[]Change{
			{"			case row.ColumnBool(2):\n				earliest = min(earliest, before+1) // it may be answered at any moment\n", ""},
			{"WHERE id = ? AND pending IS NULL AND expires <= ?", "WHERE id = ? AND expires <= ?"},
		},
		"./store/sqlite", "TestStore/what_is_over_is_swept",
	},
	{
		"a sweep does not look again at a record that waited", "store/sqlite/sweep.go",
		[]Change{{"				earliest = min(earliest, before+1) // it may be answered at any moment\n", ""}},
		"./store/sqlite", "TestStore/a_pending_record_is_swept_once_it_is_answered",
	},
	{
		"listings have no order within a moment", "payment/listing.go",
		[]Change{{"	return cmp.Or(cmp.Compare(p.At.UnixMilli(), q.At.UnixMilli()), cmp.Compare(p.Payment, q.Payment), cmp.Compare(p.Operation, q.Operation))\n", "	return cmp.Compare(p.At.UnixMilli(), q.At.UnixMilli())\n"}},
		"./store/memory", "TestStore/a_payment_stands_in_the_listing_of_its_merchant TestStore/pages_have_no_gap_and_no_repeat",
	},
	{
		"a listing goes by the first part of the cursor", "store/sqlite/marks.go",
		[]Change{{"(at, payment, operation) < (?, ?, ?)", "at < ? AND 0 = 0*(?+?)"}},
		"./store/sqlite", "TestStore/a_payment_stands_in_the_listing_of_its_merchant TestStore/pages_have_no_gap_and_no_repeat",
	},
	{
		"a kept card opens under any token", "document/document.go",
		[]Change{{"n.Tenant, n.Merchant, n.Dialect, n.Kind, n.ID)", "n.Tenant, n.Merchant, n.Dialect, n.Kind, \"\")"}},
		"./vault", "TestANumberIsBoundToItsToken",
	},
	{
		"a document is put whatever its version", "store/sqlite/documents.go",
		[]Change{{"AND kind = ?4 AND id = ?5 AND version = ?6`)", "AND kind = ?4 AND id = ?5 AND ?6 = ?6`)"}},
		"./store/sqlite", "TestStore/of_several_who_change_a_document_one_succeeds",
	},
	{
		"sealing anew overwrites what has changed meanwhile", "store/sqlite/sealed.go",
		[]Change{{"SET sealed = ?1 WHERE sealed = ?2 AND tenant", "SET sealed = ?1 WHERE ?2 = ?2 AND tenant"}},
		"./store/sqlite", "TestStore/a_sealed_value_is_swapped_for_another",
	},
	{
		"an attempt is overlooked when its record is over", "engine/batch.go",
		[]Change{{"r.Free(b.now) && r.At.Before(since) {", "r.Free(b.now) {"}},
		"./engine", "TestAttemptIsFoundThoughItsRecordIsOver",
	},
	{
		"commits are not flushed", "store/sqlite/conn.go",
		[]Change{{`{"synchronous", "FULL", "2"},`, `{"synchronous", "NORMAL", "1"},`}},
		"./store/sqlite", "TestPowerIsLost",
	},
	{
		"any commit behind the end of the log counts as lost", "store/sqlite/log.go",
		[]Change{{"			if passed && next.commits() {", "			if next.commits() {"}},
		"./store/sqlite", "TestLogAfterManyLosses",
	},
	{
		"a log begins with whatever is there", "store/sqlite/log.go",
		[]Change{{"	if l.header.sound() {\n", "	if !l.header.sound() {\n		return nil\n	} else {\n"}},
		"./store/sqlite", "TestDamagedLog TestLogWithoutABeginning",
	},
	{
		"what could not be flushed is flushed again", "store/sqlite/writer.go",
		[]Change{{"	if broken := w.broken.Load(); broken != nil {\n		return *broken\n	}\n	w.stmt.finalize()\n", "	w.stmt.finalize()\n"}},
		"./store/sqlite", "TestMediumFails/a_commit_is_not_flushed",
	},
	{
		"what is held up for a review is captured", "payment/capture.go",
		[]Change{{"	r.when(p.HeldUp(), NotCapturable)\n", ""}},
		"./payment", "TestReview",
	},
	{
		"what is held up for a review does not count", "engine/tally.go",
		[]Change{{" || op.Status == payment.OpApproved && p.HeldUp()):", "):"}},
		"./engine", "TestHeldUpHoldsTheLimit",
	},
	{
		"a refund never leaves transit", "payment/timer.go",
		[]Change{{"		return p.settles(e, p.Policy.RefundSettleAfter)\n", "		return nil\n"}},
		"./engine", "TestAMonthGoesBy",
	},
	{
		"a merchant is charged with a refund twice", "payment/settle.go",
		[]Change{{" || op.Status != OpApproved || op.Settled {", " || op.Status != OpApproved {"}},
		"./payment", "TestSettleRefund TestSettle",
	},
}
