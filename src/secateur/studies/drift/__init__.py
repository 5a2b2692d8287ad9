"""The study of drift: networks followed over weeks of simulated patients, and what retraining is worth."""
