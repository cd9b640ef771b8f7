/**
 * Webhooks out, as Standard Webhooks has them: what happened is queued in the transaction that made it happen, signed,
 * sent at least once, tried again for a day, and can be sent again. What it promises is in docs/webhooks.md.
 */
export type { WebhookContext } from './change-endpoints.ts'
export { Dispatcher } from './dispatcher.ts'
export { resealWebhookSecrets, SecretSealer } from './endpoint-secrets.ts'
export type { Endpoint } from './endpoint.ts'
export { EVENT_TYPES, type EventType } from './event-types.ts'
export { type WebhookEvent, WebhookOutbox } from './outbox.ts'
export { listEndpoints } from './read-endpoints.ts'
export { webhookRoutes, type WebhookRoutes } from './routes.ts'
export { signatureHeaders } from './sign-message.ts'
