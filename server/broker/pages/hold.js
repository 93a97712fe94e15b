
// A page can lure a person to click where this page then opens. So the buttons wait half a second.
const buttons = document.querySelectorAll("button");
let timer;
const hold = () => {
  for (const button of buttons) button.disabled = true;
  clearTimeout(timer);
  timer = setTimeout(() => { for (const button of buttons) button.disabled = false; }, 500);
};
hold();
addEventListener("pageshow", event => { if (event.persisted) hold(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) hold(); });
