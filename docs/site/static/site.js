// What a page of the site needs besides its theme.
(() => {
  const root = document.documentElement;
  // the players draw their lines again when the body says that the theme changed; this theme tells the root only
  const tell = () => (document.body.dataset.jpThemeLight = root.dataset.theme !== 'dark');
  // a formula or a table that is wider than the page can be scrolled with the arrow keys, too
  const reach = () => document.querySelectorAll('mjx-container[display=true], .pst-scrollable-table-container').forEach((box) => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  });
  document.addEventListener('DOMContentLoaded', () => {
    tell();
    new MutationObserver(tell).observe(root, { attributes: true, attributeFilter: ['data-theme'] });
  });
  addEventListener('load', () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach));
  addEventListener('resize', reach);
})();
