/** Environment, file and command line → one frozen Config. Nothing else reads `process.env`. */
export { loadConfig } from './config/load-config.ts'
export { ConfigError } from './config/config-error.ts'
export { SETTINGS } from './config/settings.ts'
export type { Config, Overrides, RateLimit } from './config/load-config.ts'
