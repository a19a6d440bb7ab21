// Building and bringing up to date what is on the page. Text only ever becomes text: nothing here takes markup.

const SVG = "http://www.w3.org/2000/svg";
const PICTURED = new Set(["svg", "g", "path", "circle", "rect", "line", "text", "title", "desc", "polyline"]);

// element("p.note", {lang: "en"}, "text", child, [children]); undefined, null and false are left out.
export function element(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = PICTURED.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const each of rest.flat(Infinity)) add(node, each);
  return node;
}

function add(node, given) {
  if (given === undefined || given === null || given === false) return;
  if (given instanceof Node) node.append(given);
  else if (typeof given === "object") describe(node, given);
  else node.append(String(given));
}

function describe(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
}

// Makes `old` show what these children show, keeping each node that can stay where it is, whatever comes before it or
// goes: so focus and selection stay, too.
export function show(old, ...children) {
  const wanted = element("div", ...children);
  bringUpToDate(old, [...wanted.childNodes]);
}

function bringUpToDate(parent, wanted) {
  const keys = new Set(wanted.map(keyOf).filter((key) => key !== null));
  let old = parent.firstChild;
  for (const node of wanted) {
    while (old && !isAlike(old, node) && !keys.has(keyOf(old))) old = removed(old);
    if (!old || !isAlike(old, node)) parent.insertBefore(node, old);
    else {
      renew(old, node);
      old = old.nextSibling;
    }
  }
  while (old) old = removed(old);
}

function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function renew(old, node) {
  if (node.nodeType !== Node.TEXT_NODE) {
    copyAttributes(old, node);
    bringUpToDate(old, [...node.childNodes]);
  } else if (old.data !== node.data) old.data = node.data;
}

function isAlike(old, node) {
  return old.nodeType === node.nodeType && old.nodeName === node.nodeName && keyOf(old) === keyOf(node);
}

function keyOf(node) {
  return node.nodeType === Node.TEXT_NODE ? null : node.getAttribute("data-key");
}

const KEPT = new Set(["open"]);

function copyAttributes(old, node) {
  for (const { name } of [...old.attributes]) {
    if (!node.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of node.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}
