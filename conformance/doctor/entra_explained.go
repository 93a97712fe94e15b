package doctor

import (
	"strconv"

	"mcpentra/conformance/doctor/aadsts"
)

// explain says why Entra ID gives an error, and what to change.
func explain(found entraError) (why string, fixes []Fix) {
	explanation, known := aadsts.Explain(found.number)
	for _, one := range aadsts.Find(found.message) {
		if one.Code == found.number && one.Known {
			explanation = one.Explanation // with the values of the message
		}
	}
	if !known {
		return "Entra ID refuses the request before anyone signs in, so no client gets further.", []Fix{{
			Place: PortalPage,
			Where: "Microsoft Entra authentication error codes",
			Text:  "https://login.microsoftonline.com/error?code=" + strconv.Itoa(found.number),
		}}
	}
	for _, one := range explanation.Fixes {
		fixes = append(fixes, Fix{Place: Place(one.Place), Where: one.Where, Text: one.Text})
	}
	return explanation.Meaning + " " + explanation.Why, fixes
}
