package bench

// Hide masks a value in all reports of the probe and its clones, as if it were a credential.
func (p *Probe) Hide(values ...string) { p.secrets.add(values...) }
