/** A message to publish. */
export interface OutgoingMessage {
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Publishes to the project's topics. */
export interface Publisher {
  /**
   * Publishes all; answers for each whether it was accepted, in their order. Never rejects.
   *
   * @param topic name, without `projects/…/topics/`
   * @param timeoutMs what is not accepted by then counts as failed (it may still be published)
   */
  publish(topic: string, messages: readonly OutgoingMessage[], timeoutMs: number): Promise<PublishOutcome[]>;
  /** Sends what is buffered. */
  close(): Promise<void>;
}

export type PublishOutcome = { readonly messageId: string } | { readonly error: Error };
