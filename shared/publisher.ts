/** A message to publish. */
export interface OutgoingMessage {
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Publishes to the project's topics. */
export interface Publisher {
  /**
   * Publishes all messages; returns for each, in their order, whether it was accepted. Never rejects.
   *
   * @param topic its name, without `projects/…/topics/`
   * @param timeoutMs a message that is not accepted by then counts as failed, but may still be published
   */
  publish(topic: string, messages: readonly OutgoingMessage[], timeoutMs: number): Promise<PublishOutcome[]>;
  /** Sends buffered messages, and closes the client. */
  close(): Promise<void>;
}

export type PublishOutcome = { readonly messageId: string } | { readonly error: Error };
