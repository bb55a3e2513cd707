// @ts-check
// Light or dark, before anything is painted: as the system has it, until somebody chooses. Not a module, for those wait.
;(() => {
  const root = document.documentElement
  const system = matchMedia('(prefers-color-scheme: dark)')
  const stored = localStorage.getItem('sluice-theme')
  if (stored === 'light' || stored === 'dark') root.dataset.theme = stored
  addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme')
    const changed = () => {
      const dark = root.dataset.theme === undefined ? system.matches : root.dataset.theme === 'dark'
      if (button !== null) button.textContent = dark ? 'Light' : 'Dark'
      // Plots draw their colours themselves.
      dispatchEvent(new Event('sluice-theme'))
    }
    button?.addEventListener('click', () => {
      root.dataset.theme = button.textContent === 'Light' ? 'light' : 'dark'
      localStorage.setItem('sluice-theme', root.dataset.theme)
      changed()
    })
    system.addEventListener('change', changed)
    changed()
  })
})()
