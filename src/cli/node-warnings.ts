/**
 * What Node says about a configuration in TypeScript: it had to find out whether it is a module, and that stripping
 * types is new (Node 22). True of our choice of format, and of no use to whoever wrote the configuration.
 */
export function muteConfigWarnings(): void {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (isAboutConfig(warning)) return
    for (const listener of listeners) listener(warning)
  })
}

function isAboutConfig(warning: Error): boolean {
  if ('code' in warning && warning.code === 'MODULE_TYPELESS_PACKAGE_JSON') return true
  return (
    warning.name === 'ExperimentalWarning' && /Type Stripping|stripTypeScriptTypes/i.test(warning.message)
  )
}
