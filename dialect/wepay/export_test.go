package wepay

import "time"

// SetPatience changes how long a request waits for a processor.
func (d *Dialect) SetPatience(p time.Duration) { d.patience = p }
