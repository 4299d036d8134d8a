package mutation

func init() { mutations = append(mutations, outboxMutations...) }

// outboxMutations break what merchants are told.
var outboxMutations = []Mutation{
	{
		"notices are not written", "engine/batch.go",
		[]Change{{"		c.Notices = b.notices(it, d)\n", "		b.notices(it, d)\n"}},
		"./engine", "TestNotices",
	},
	{
		"a store drops a delivery", "store/sqlite/outbox.go",
		[]Change{{"		for j := range n.Deliveries {", "		for j := range len(n.Deliveries) - 1 {"}},
		"./store/sqlite", "TestStore/notices_are_written_with_what_they_tell_of",
	},
	{
		"ordered deliveries overtake each other", "store/sqlite/outbox.go",
		[]Change{{"			due = time.Time{}\n", "			_ = due\n"}},
		"./store/sqlite", "TestStore/ordered_deliveries_wait_for_each_other",
	},
	{
		"the next ordered delivery is forgotten", "store/sqlite/delivery.go",
		[]Change{{"	return true, setDue(conn, next.DeliveryID, outbox.Waiting, a.At)\n", "	return true, nil\n"}},
		"./store/sqlite", "TestStore/ordered_deliveries_wait_for_each_other",
	},
	{
		"an attempt counts twice", "store/sqlite/delivery.go",
		[]Change{{" AND ifnull(attempts, 0) = ?6 - 1 RETURNING", " RETURNING"}},
		"./store/sqlite", "TestStore/attempts_are_recorded_once",
	},
	{
		"a claim is nobody's", "store/sqlite/delivery.go",
		[]Change{{"		s.claims.until[d.DeliveryID] = c.Now.Add(c.Lease)\n", "		s.claims.until[d.DeliveryID] = c.Now\n"}},
		"./store/sqlite", "TestStore/deliveries_are_given_to_one_at_a_time",
	},
	{
		"every answer will do", "webhook/attempt.go",
		[]Change{{"	if !n.Acknowledges(response) {", "	if response.Status == 0 {"}},
		"./webhook", "TestEndpointsThatFail",
	},
	{
		"redirects are followed", "webhook/guard.go",
		[]Change{{"return http.ErrUseLastResponse", "return nil"}},
		"./webhook", "TestEndpointsThatFail",
	},
	{
		"a dead endpoint has all the room", "webhook/room.go",
		[]Change{{"c.Room[id] = room - l.inFlight\n", "c.Room[id] = room\n"}},
		"./webhook", "TestDeadEndpointDelaysNoOther",
	},
	{
		"a failed attempt is the last", "webhook/attempt.go",
		[]Change{{"		d.again(one, m, &a)\n", "		d.again(one, m, &a)\n		a.State, a.Due = outbox.GivenUp, time.Time{}\n"}},
		"./webhook", "TestScheduleIsKept",
	},
	{
		"a name is looked up twice", "webhook/guard.go",
		[]Change{{"netip.AddrPortFrom(a.Unmap(), uint16(port)).String())", "address+a.Zone())"}},
		"./webhook", "TestRebinding",
	},
	{
		"what an address carries is not looked at", "webhook/guard.go",
		[]Change{{"	return !carries || public(inner)\n", "	return !carries || inner.IsValid()\n"}},
		"./webhook", "TestGuardAddresses",
	},
}
