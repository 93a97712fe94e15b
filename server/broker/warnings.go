package broker

import "strings"

const mixedName = "this name mixes letters of several alphabets, so it may imitate another name."

// warnings returns what may deceive a person about a client: a name by which another program is
// known, and a host that looks like another one.
func (b *Broker) warnings(name string, to destination) []string {
	var warnings []string
	if like := b.known.Client(name, to.Name, to.ThisComputer); like != nil {
		where := to.Host
		if to.ThisComputer {
			where = "a program on this computer"
		}
		warnings = append(warnings,
			"the name is "+like.Name+" or looks like it. "+homeOf(like.Name, like.Hosts)+
				" This request would send you to "+where+", so another program may be asking.")
	}
	if b.known.MixesScripts(name) {
		warnings = append(warnings, mixedName)
	}
	return append(warnings, b.hostWarnings(to)...)
}

// hostWarnings returns what may deceive a person about a host.
func (b *Broker) hostWarnings(at destination) []string {
	if at.Scheme != "" {
		return nil
	}
	problem := b.known.Host(at.Name, b.ownHost)
	if problem == nil {
		return nil
	}
	text := "be careful with the name of the site " + at.Host + "."
	if problem.MixesScripts {
		text = "the name of the site " + at.Host + " mixes letters of several alphabets."
	}
	if problem.LooksLike != "" {
		text += " It looks like " + problem.LooksLike + " but is another site."
	}
	return []string{text}
}

// documentWarnings returns what may deceive a person about the host of a client's document.
func (b *Broker) documentWarnings(clientID string, to destination) []string {
	if !isDocumentID(clientID) {
		return nil
	}
	at := newDestination(clientID)
	if at.Name == to.Name {
		return nil // warnings has it
	}
	return b.hostWarnings(at)
}

// deviceWarnings returns what may deceive a person about a client that has no redirect URI. Nothing
// ties its name to a program.
func (b *Broker) deviceWarnings(tx *transaction) []string {
	name := tx.ClientName
	warnings := b.documentWarnings(tx.ClientID, destination{})
	if like := b.known.Client(name, "", false); like != nil {
		warnings = append(warnings,
			"the name is "+like.Name+" or looks like it. This server cannot see which program asks.")
	}
	if b.known.MixesScripts(name) {
		warnings = append(warnings, mixedName)
	}
	return warnings
}

// homeOf says where a known client sends people after the sign-in.
func homeOf(name string, hosts []string) string {
	if len(hosts) == 0 {
		return name + " itself runs on your own computer."
	}
	if len(hosts) > 2 {
		hosts = hosts[:2]
	}
	return name + " itself uses " + strings.Join(hosts, " or ") + "."
}
