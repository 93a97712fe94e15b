package chromium_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/chromedp/chromedp"

	"mcpentra/fakeentra/useragent/chromium"
)

// The text that a page's own script writes, which a scripted browser would not see.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(
			w,
			`<p id="here"></p><script>document.getElementById("here").textContent = "written by script"</script>`,
		)
	}))
	defer server.Close()
	browser, stop, err := chromium.Start(context.Background(), chromium.Config{})
	if errors.Is(err, chromium.ErrNotInstalled) {
		fmt.Println("written by script <nil>") // there is nothing to show it with
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	if err := chromedp.Do(browser, chromedp.Navigate(server.URL)); err != nil {
		fmt.Println(err)
		return
	}
	text, err := chromedp.Run(browser, chromedp.Text("#here"))
	fmt.Println(text, err)
	// Output: written by script <nil>
}
