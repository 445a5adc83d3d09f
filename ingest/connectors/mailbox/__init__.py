"""Mailboxes that customers write to (IMAP)."""
