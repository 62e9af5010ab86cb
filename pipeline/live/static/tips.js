// Help at the pointer or at the focus, for whatever has data-help.
export function tips(box) {
  const show = (target) => {
    const owner = target?.closest?.("[data-help]");
    box.hidden = !owner;
    if (!owner) return;
    box.textContent = owner.dataset.help;
    const at = owner.getBoundingClientRect(), { offsetWidth: w, offsetHeight: h } = box;
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - w - 8))}px`;
    box.style.top = `${at.bottom + h + 10 > innerHeight ? at.top - h - 6 : at.bottom + 6}px`;
  };
  document.addEventListener("pointerover", (event) => show(event.target));
  document.addEventListener("focusin", (event) => show(event.target));
  document.addEventListener("focusout", () => show(null));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") show(null); });
}
