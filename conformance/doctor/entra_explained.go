package doctor

// explain says why Entra ID gives an error, and what to change.
func explain(found entraError) (why string, fixes []Fix) {
	return "Entra ID refuses the request before anyone signs in.", nil
}
