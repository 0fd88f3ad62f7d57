"""The command `zoo`: one file a command, composed in app."""
