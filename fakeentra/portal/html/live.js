// Shows new requests without a reload. Without scripts, the page works by reloading.
"use strict";
const rows = document.getElementById("rows");
const words = document.getElementById("live");
const showLive = text => { if (words.textContent !== text) words.textContent = text; };

async function update() {
	const query = new URLSearchParams({ after: rows.dataset.last, endpoint: rows.dataset.endpoint });
	const answer = await fetch("/portal/journal/rows?" + query);
	if (!answer.ok) throw new Error(answer.status);
	const last = answer.headers.get("X-Last");
	if (Number(last) < Number(rows.dataset.last)) rows.replaceChildren(); // someone cleared the journal
	rows.insertAdjacentHTML("afterbegin", (await answer.text()).trim());
	rows.dataset.last = last;
	while (rows.children.length > 200) rows.lastElementChild.remove();
	if (rows.children.length > 0) document.querySelector("p.empty")?.remove();
	showLive("The newest request comes first. Secrets are masked. New requests appear by themselves.");
}

async function follow() {
	try {
		if (!document.hidden) await update();
	} catch {
		showLive("The fake does not answer. The page tries again.");
	}
	setTimeout(follow, 1000);
}
follow();
