"use strict";
(() => {
	const byID = id => document.getElementById(id);
	const all = (selector, under = document) => [...under.querySelectorAll(selector)];
	const form = byID("page_filter");
	const hits = byID("page_hits");
	const fields = ["q", "verdict", "role", "revision", "level", "severity", "security"];
	const problems = ["fail", "error", "warn", "note"];

	// The checks, with the texts that a search looks at. Exchanges are not searched.
	const texts = (element, selectors) =>
		all(selectors, element).map(found => found.textContent).join(" ").toLowerCase();
	const roles = all(".role").map((role, i) => ({
		element: role,
		entry: all("nav > div")[i],
		topics: all(".topic", role).map(topic => ({
			element: topic,
			wasOpen: topic.open,
			entry: all("nav a").find(a => a.hash === "#" + topic.lastElementChild.id)?.parentElement,
			rules: all(".rule", topic).map(rule => ({
				element: rule,
				data: rule.dataset,
				role: role.dataset.role,
				text: texts(rule, ".name, .source"),
				outcomes: all(".outcome", rule).map(outcome => ({
					element: outcome,
					text: texts(outcome, ".why, .pair"),
					tries: all(".try", outcome),
				})),
			})),
		})),
	}));
	const rules = roles.flatMap(role => role.topics.flatMap(topic => topic.rules));
	const tryCount = rules.reduce((sum, rule) => sum + rule.outcomes.reduce((n, o) => n + o.tries.length, 0), 0);

	const wanted = () => {
		const values = {};
		for (const name of fields) {
			const field = form.elements[name];
			const value = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value.trim();
			if (value !== "") values[name] = value;
		}
		return values;
	};
	const matchesRule = (rule, want) =>
		(!want.role || want.role === rule.role) &&
		(!want.level || want.level === rule.data.level) &&
		(!want.severity || [rule.data.severity, rule.data.risk].includes(want.severity));
	const matchesVerdict = (data, verdict) => {
		switch (verdict) {
		case undefined: return true;
		case "problem": return problems.includes(data.verdict);
		case "insecure": return data.insecure === "1";
		case "known": return data.known === "1";
		}
		return data.verdict === verdict;
	};
	const matchesTry = (data, want) =>
		matchesVerdict(data, want.verdict) &&
		(!want.revision || data.at === "" || data.at.split(" ").includes(want.revision)) &&
		(!want.security || data.security === "1");

	// filter shows what matches the form, and says how much that is.
	const filter = () => {
		const want = wanted();
		const words = (want.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
		const isFiltered = Object.keys(want).length > 0;
		let shownRules = 0;
		let shownTries = 0;
		for (const role of roles) {
			let inRole = 0;
			for (const topic of role.topics) {
				let inTopic = 0;
				for (const rule of topic.rules) {
					let inRule = 0;
					const possible = matchesRule(rule, want);
					for (const outcome of rule.outcomes) {
						let inOutcome = 0;
						const found = possible &&
							words.every(word => rule.text.includes(word) || outcome.text.includes(word));
						for (const one of outcome.tries) {
							const isShown = found && matchesTry(one.dataset, want);
							one.hidden = !isShown;
							if (isShown) inOutcome++;
						}
						outcome.element.hidden = inOutcome === 0;
						inRule += inOutcome;
					}
					rule.element.hidden = inRule === 0;
					if (inRule > 0) inTopic++;
					shownTries += inRule;
				}
				topic.element.hidden = inTopic === 0;
				topic.element.open = isFiltered ? inTopic > 0 : topic.wasOpen;
				if (topic.entry) topic.entry.hidden = inTopic === 0;
				inRole += inTopic;
			}
			role.element.hidden = inRole === 0;
			role.entry.hidden = inRole === 0;
			shownRules += inRole;
		}
		hits.textContent = isFiltered
			? `${shownRules} of ${rules.length} checks, ${shownTries} of ${tryCount} results`
			: `${rules.length} checks, ${tryCount} results`;
	};

	// The fragment holds the filter, or the check to show.
	const keep = () => {
		const fragment = "#" + new URLSearchParams(wanted());
		if (location.hash === fragment || location.hash === "" && fragment === "#") return;
		try {
			history.replaceState(null, "", fragment);
		} catch {
			location.replace(fragment);
		}
	};
	const fill = values => {
		form.reset();
		for (const name of fields) {
			const value = values.get(name) ?? "";
			const field = form.elements[name];
			if (field.type === "checkbox") field.checked = value !== "";
			else field.value = value;
			if (field.selectedIndex === -1) field.value = "";
		}
	};
	const show = name => {
		const parts = [name, name.replace(/@[^@]*$/, "")];
		const target = parts.map(byID).find(Boolean);
		if (!target) {
			hits.textContent = `This report has no check ${name}.`;
			return;
		}
		if (target.closest("[hidden]")) {
			form.reset();
			filter();
		}
		for (let at = target; at; at = at.parentElement) {
			if (at.localName === "details") at.open = true;
		}
		const place = target.closest(".rule") ?? target.closest("details, section") ?? target;
		if (target.matches(".mark")) openTry(target);
		place.scrollIntoView({block: "start", behavior: "instant"});
		const reached = place.querySelector(":scope > summary") ?? place;
		if (!reached.matches("summary")) reached.tabIndex = -1;
		reached.focus({preventScroll: true});
	};
	// openTry opens the exchanges of the revision that a mark names.
	const openTry = mark => {
		const outcome = mark.closest(".outcome");
		const exchanges = all(".try", outcome)[all(".mark", outcome).indexOf(mark)]?.querySelector("details");
		if (exchanges) exchanges.open = true;
	};
	const follow = () => {
		let fragment = location.hash.slice(1);
		if (fragment === "" || fragment.includes("=")) {
			fill(new URLSearchParams(fragment));
			filter();
			return;
		}
		try {
			fragment = decodeURIComponent(fragment);
		} catch {
			// A fragment that is no encoded text names no check.
		}
		show(fragment);
	};

	let waiting = 0;
	form.addEventListener("input", () => {
		clearTimeout(waiting);
		waiting = setTimeout(() => {
			filter();
			keep();
		}, 80);
	});
	form.addEventListener("reset", () => setTimeout(() => {
		filter();
		keep();
	}));
	form.addEventListener("submit", event => event.preventDefault());
	addEventListener("hashchange", follow);
	addEventListener("keydown", event => {
		const isTyping = event.target.matches?.("input, select, textarea");
		if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
			event.preventDefault();
			form.elements.q.focus();
			form.elements.q.select();
		}
	});

	// Commands are copied, or selected where the browser refuses.
	document.addEventListener("click", async event => {
		const link = event.target.closest("a[href^='#']");
		if (link && link.hash === location.hash && link.hash !== "#") follow();
		const button = event.target.closest("button.copy");
		if (!button) return;
		const command = button.previousElementSibling;
		const label = button.firstChild;
		try {
			await navigator.clipboard.writeText(command.textContent);
			label.data = "Copied";
		} catch {
			getSelection().selectAllChildren(command);
			label.data = "Selected";
		}
		setTimeout(() => { label.data = "Copy"; }, 2000);
	});

	const openAll = byID("page_open");
	openAll.addEventListener("click", () => {
		const opens = openAll.textContent === "Open all";
		for (const role of roles) {
			for (const topic of role.topics) {
				if (topic.element.hidden) continue;
				topic.element.open = true;
				for (const rule of topic.rules) rule.element.open = opens && !rule.element.hidden;
			}
		}
		openAll.textContent = opens ? "Close all" : "Open all";
	});

	// The system selects the colors until the person does. Some browsers keep nothing for a page from
	// a file.
	const theme = byID("page_theme");
	const colors = "mcp-auth-conformance-colors";
	const isDark = () => {
		const chosen = document.documentElement.dataset.theme;
		return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
	};
	const name = () => { theme.textContent = isDark() ? "Light colors" : "Dark colors"; };
	const kept = action => {
		try {
			return action();
		} catch {
			return null;
		}
	};
	const chosen = kept(() => localStorage.getItem(colors));
	if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
	theme.addEventListener("click", () => {
		document.documentElement.dataset.theme = isDark() ? "light" : "dark";
		kept(() => localStorage.setItem(colors, document.documentElement.dataset.theme));
		name();
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
	name();

	// On paper, the topics and the broken rules are open.
	let closed = [];
	addEventListener("beforeprint", () => {
		closed = all(".topic:not([open]), .rule:is(.fail, .error, .warn, .note):not([open])");
		for (const one of closed) one.open = true;
	});
	addEventListener("afterprint", () => {
		for (const one of closed) one.open = false;
	});

	for (const link of all("a[data-filter]")) link.href = "#" + link.dataset.filter;
	for (const control of [form, theme, ...all("button.copy")]) control.hidden = false;
	filter();
	// The browser goes to the fragment by itself when the page is complete. Follow comes after it.
	if (location.hash !== "") {
		follow();
		addEventListener("load", () => setTimeout(follow));
	}
})();
