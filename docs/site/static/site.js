// The players draw their lines again when the page's body says that its theme changed; this theme tells the root only.
(() => {
  const root = document.documentElement;
  const tell = () => (document.body.dataset.jpThemeLight = root.dataset.theme !== 'dark');
  document.addEventListener('DOMContentLoaded', () => {
    tell();
    new MutationObserver(tell).observe(root, { attributes: true, attributeFilter: ['data-theme'] });
  });
})();
