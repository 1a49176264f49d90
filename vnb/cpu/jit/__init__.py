"""The translator: guest code that runs often becomes native code of the host here."""
