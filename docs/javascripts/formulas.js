// Typesets what pymdownx.arithmatex marks, with the KaTeX that lies beside the pages; a page
// without formulas loads none of it.
(() => {
  const katex = new URL("../katex/", document.currentScript.src);

  function typeset() {
    for (const element of document.querySelectorAll(".arithmatex")) {
      const source = element.textContent.trim(); // \( ... \) or \[ ... \]
      window.katex.render(source.slice(2, -2), element, {
        displayMode: source.startsWith("\\["),
        throwOnError: false,
      });
    }
  }

  function load() {
    if (!document.querySelector(".arithmatex")) return;
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("katex.min.css", katex);
    const script = document.createElement("script");
    script.src = new URL("katex.min.js", katex);
    script.onload = typeset;
    document.head.append(style, script);
  }

  document.addEventListener("DOMContentLoaded", load);
})();
