// A player as a widget, to stand in a box among others: the same HTML, put into the page with its script. It is the
// front half of the model `PlayerView` of widgets/link.py.
export default {
  render({ model, el }) {
    el.innerHTML = model.get('html');
    for (const inert of el.querySelectorAll('script')) {
      // a script that came as text does not run; one that was made does, once it is on the page
      const script = document.createElement('script');
      if (inert.type) script.type = inert.type;
      script.textContent = inert.textContent;
      inert.replaceWith(script);
    }
  },
};
