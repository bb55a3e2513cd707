// @ts-check
// The page is made of elements and text nodes alone: what comes from data is never markup, whatever stands in it.

/**
 * @param {string} id
 * @returns {HTMLElement} throws where the page has none
 */
export function byId(id) {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`no element ${id}`)
  return found
}

/**
 * An element with a class and children; text becomes text nodes.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, className = '', ...children) {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  made.append(...children)
  return made
}

/**
 * @param {string} label
 * @param {() => Promise<void>} act its failures are its own to tell
 * @param {string} className
 */
export function button(label, act, className = '') {
  const made = el('button', className, label)
  made.type = 'button'
  made.addEventListener('click', async () => {
    // Once is enough; the focus stays where it is.
    if (made.ariaDisabled === 'true') return
    made.ariaDisabled = 'true'
    await act().finally(() => {
      made.ariaDisabled = null
    })
  })
  return made
}

/**
 * Changes text only where it differs: a selection, and a screen reader, are left alone.
 * @param {Node} node
 * @param {string} text
 */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text
}

/**
 * @template Item
 * @typedef {object} Kept what stands for an item
 * @property {HTMLElement} element
 * @property {(item: Item) => void} [update]
 */

/** @type {WeakMap<Element, Map<string, Kept<any>>>} */
const lists = new WeakMap()

/**
 * Makes a list's elements those of its items, in their order. An item that was there before keeps its element, and with it
 * focus, selection and what is unfolded.
 * @template Item
 * @param {Element} parent
 * @param {readonly Item[]} items
 * @param {(item: Item) => string} keyOf tells items apart
 * @param {(item: Item) => Kept<Item>} create
 */
export function list(parent, items, keyOf, create) {
  const before = lists.get(parent) ?? new Map()
  const keyed = new Map(items.map((item) => [keyOf(item), item]))
  // First, so that those that stay need not be moved past them: a move takes the focus away.
  for (const [key, { element }] of before) {
    if (keyed.has(key)) continue
    rescueFocus(element)
    element.remove()
  }
  /** @type {Map<string, Kept<Item>>} */
  const now = new Map()
  let next = parent.firstElementChild
  for (const [key, item] of keyed) {
    const kept = before.get(key) ?? create(item)
    kept.update?.(item)
    now.set(key, kept)
    if (kept.element === next) next = kept.element.nextElementSibling
    else parent.insertBefore(kept.element, next)
  }
  lists.set(parent, now)
}

/**
 * The same for a place that says so where there is nothing.
 * @template Item
 * @param {Element} parent
 * @param {readonly Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => Kept<Item>} create
 * @param {string} none
 */
export function listOr(parent, items, keyOf, create, none) {
  if (items.length > 0) list(parent, items, keyOf, create)
  else
    list(
      parent,
      [none],
      (text) => `none ${text}`,
      (text) => ({ element: el('p', 'quiet', text) }),
    )
}

/**
 * Whoever works by keyboard does not start again at the top because a row went away.
 * @param {Element} leaving
 */
function rescueFocus(leaving) {
  if (!leaving.contains(document.activeElement)) return
  leaving.closest('section')?.querySelector('h2')?.focus({ preventScroll: true })
}
