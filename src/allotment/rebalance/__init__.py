"""Why an account trades today, and what is proposed for it."""
